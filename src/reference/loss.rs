//! The losses: value, g and h at the logits.

use super::layer::act::{sigmoid, softplus};
use super::policy::{ppo_discrete, ppo_gaussian};
use super::softmax::cross_entropy;
use super::{Real, Signal};
use crate::model::{
    CustomLoss, Loss, Mode, Model, Noise, Reduction, RowLoss, Targets, Term, Variance, batch_of,
};
use crate::rules::{self, MAX_LOG_PRECISION};
use crate::{Error, Result};

/// A loss at one sample before the reduction factor: its value, and g and h `[K]` at the logits.
pub(super) struct Local<T> {
    pub(super) value: T,
    pub(super) g: Vec<T>,
    /// In the HesScale-R modes the whole diagonal if `u` is empty, else the rest beside `u`.
    pub(super) h: Vec<T>,
    /// The vectors carried exactly; empty if curvature is diagonal, for then they are picked from `h`.
    pub(super) u: Vec<Vec<T>>,
}

/// The loss of a batch of logits `[N, K]` and the signal it starts, reduction factor included in both. A logit that is not finite
/// makes the loss NaN, and the signal where it acts, unless its class is ignored.
///
/// # Errors
/// [`Error::TargetKind`](crate::Error) for [`Loss::External`], which has no value; [`Error::ZeroSize`](crate::Error),
/// [`Error::Length`](crate::Error) for logits, [`Error::Unsupported`](crate::Error) for
/// HesScale-R and -S with a cross-entropy at several positions or PPO, and for a [`CustomLoss`] without a closure or in dual numbers, and all of [`Model::check_targets`].
pub fn loss_and_signal<T: Real>(
    model: &Model,
    mode: Mode,
    logits: &[T],
    targets: Targets<'_>,
) -> Result<(T, Signal<T>)> {
    weighted_loss_and_signal(model, mode, logits, targets, None, Noise::default())
}

/// The same with a weight for each sample, of any sign, which multiplies its value, g and h; and with the random numbers that
/// HesScale-S draws.
///
/// # Errors
/// As [`loss_and_signal`], and all of [`Model::check_sample_weights`].
pub fn weighted_loss_and_signal<T: Real>(
    model: &Model,
    mode: Mode,
    logits: &[T],
    targets: Targets<'_>,
    weights: Option<&[f32]>,
    noise: Noise,
) -> Result<(T, Signal<T>)> {
    let outputs = model.outputs();
    let batch = batch_of("logits", logits.len(), outputs)?;
    model.check_mode(mode)?;
    model.loss().check_on_cpu()?;
    if T::VARIES && matches!(model.loss(), Loss::Custom(_)) {
        return Err(Error::unsupported("loss", "a closure of f64 in dual numbers"));
    }
    model.check_targets(batch, targets)?;
    weights.map_or(Ok(()), |weights| model.check_sample_weights(batch, weights))?;

    let factor = match model.loss().reduction() {
        Reduction::WeightedMean => weighted_factor(model, batch, targets, weights),
        _ => model.loss().factor(batch, model.output_shape()),
    };
    let (mut value, mut g, mut h) = (Sum::new(), Vec::new(), Vec::new());
    let mut u = vec![Vec::new(); mode.rank()];
    for (n, z) in logits.chunks_exact(outputs).enumerate() {
        let scale = factor * weights.map_or(1.0, |weights| f64::from(weights[n]));
        let mut local = sample(model, mode, z, targets, n, scale < 0.0);
        if mode == Mode::Fisher {
            local.h.fill(T::zero());
            local.u = Vec::new();
        } else if local.u.is_empty() {
            local.u = take_largest(&mut local.h, mode.leading());
        }
        if mode.is_sampled() {
            let sign = |output| if noise.is_negative(n as u32, output as u32) { -T::one() } else { T::one() };
            local.take_random(model.loss(), z, (0..outputs).map(sign).collect());
        }
        let scale = T::from_f64(scale.abs());
        let root = scale.sqrt();
        value.add(scale * local.value);
        g.extend(local.g.into_iter().map(|g| scale * g));
        if mode.has_diagonal() {
            h.extend(local.h.into_iter().map(|h| scale * h));
        }
        for (all, one) in u.iter_mut().zip(local.u) {
            all.extend(one.into_iter().map(|u| root * u));
        }
    }
    if mode == Mode::Fisher {
        // The mean of squares, of gradients that each have the mean's divisor.
        let spread = T::from_f64(model.loss().spread(batch).sqrt());
        u[0] = g.iter().map(|g| spread * *g).collect();
    }
    Ok((value.value(), Signal::new(g, h, u)))
}

/// One over the sum of all weights, class weights included, of what is not ignored; 0 where they cancel.
fn weighted_factor(model: &Model, batch: usize, targets: Targets<'_>, weights: Option<&[f32]>) -> f64 {
    let loss = model.loss();
    let (rows, terms) = (loss.rows(model.output_shape()), loss.terms(model.output_shape()));
    let row = |row: usize| match targets {
        Targets::Classes(classes) if Some(classes[row]) == loss.ignored() => 0.0,
        Targets::Classes(classes) => loss.weights().map_or(1.0, |w| f64::from(w[classes[row] as usize])),
        Targets::Values(_) => terms as f64,
    };
    let (mut sum, mut magnitude) = (Sum::<f64>::new(), Sum::<f64>::new());
    for n in 0..batch {
        let weight = weights.map_or(1.0, |weights| f64::from(weights[n]));
        for at in n * rows..(n + 1) * rows {
            sum.add(weight * row(at));
            magnitude.add((weight * row(at)).abs());
        }
    }
    rules::weighted_factor(sum.value(), magnitude.value())
}

/// Sample `n`: its logits `z` against its row of targets; all of it `negative`, if its weight is.
fn sample<T: Real>(
    model: &Model,
    mode: Mode,
    z: &[T],
    targets: Targets<'_>,
    n: usize,
    negative: bool,
) -> Local<T> {
    let width = model.target_len();
    let row: Vec<T> = match targets {
        Targets::Values(t) => t[n * width..][..width].iter().map(|t| T::from_f64(f64::from(*t))).collect(),
        Targets::Classes(_) => Vec::new(),
    };
    let signed = |y: Vec<T>| -> Vec<T> { y.into_iter().map(|y| if negative { -y } else { y }).collect() };
    let mut local = match model.loss() {
        Loss::SoftmaxCrossEntropy { .. } => {
            // Everything is linear in the target, but which vectors there are.
            return cross_entropies(model, mode, z, |position| match targets {
                Targets::Values(_) => {
                    Some(signed(row.iter().copied().skip(position).step_by(model.positions()).collect()))
                }
                Targets::Classes(classes) => one_hot(model, classes[n * width + position]).map(signed),
            });
        }
        Loss::Mse { .. } => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            let (d, two) = (*z - *t, T::from_f64(2.0));
            [d * d, two * d, two]
        })),
        Loss::BceWithLogits { pos_weight: None, .. } => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            // softplus(z) − t z and σ(z) − t, written so that a confident right answer does not cancel.
            let ((p, rest), other) = (sigmoid(*z), T::one() - *t);
            [other * softplus(*z) + *t * softplus(-*z), other * p - *t * rest, p * rest]
        })),
        Loss::BceWithLogits { pos_weight: Some(weights), .. } => {
            Local::sum(z.iter().zip(&row).enumerate().map(|(k, (z, t))| {
                let weight = T::from_f64(f64::from(weights[k / model.positions()]));
                let ((p, rest), other, positive) = (sigmoid(*z), T::one() - *t, weight * *t);
                let value = other * softplus(*z) + positive * softplus(-*z);
                [value, other * p - positive * rest, (positive + other) * p * rest]
            }))
        }
        Loss::Huber { delta, .. } => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            let (r, delta, half) = (*z - *t, T::from_f64(*delta), T::from_f64(0.5));
            if r.abs() <= delta {
                [half * r * r, r, T::one()]
            } else {
                [delta * (r.abs() - half * delta), delta * sign(r), T::zero()]
            }
        })),
        Loss::L1 { .. } => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            let r = *z - *t;
            [r.abs(), sign(r), T::zero()]
        })),
        Loss::RelativeMse { eps, .. } => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            let constant = T::from_f64((z.value() * z.value() + *eps).sqrt());
            let (d, two) = ((*z - *t) / constant, T::from_f64(2.0));
            [d * d, two * d / constant, two / constant / constant]
        })),
        Loss::GaussianNll { var, .. } => {
            let (means, heads) = z.split_at(width);
            let pairs = || means.iter().zip(heads).zip(&row);
            let mut local = Local::sum(pairs().map(|((m, r), t)| gaussian_mean(*var, *m - *t, *r)));
            local.append(Local::sum(pairs().map(|((m, r), t)| gaussian_head(*var, *m - *t, *r))));
            local
        }
        Loss::PpoDiscrete { clip, entropy, .. } => ppo_discrete(z, &row, [*clip, *entropy]),
        Loss::PpoGaussian { clip, entropy, .. } => ppo_gaussian(z, &row, [*clip, *entropy]),
        Loss::Custom(CustomLoss::Elementwise(loss)) => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            let Term { value, g, h } = loss.at(z.value(), t.value());
            [value, g, h].map(T::from_f64)
        })),
        Loss::Custom(CustomLoss::ByRow(loss)) => Local::by_row(loss, z, &row),
        Loss::External => unreachable!("it takes no targets, which have been checked"),
    };
    // How many logits there are from one to the next with which it shares a term: with all of a policy's.
    let apart = match model.loss() {
        Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. } | Loss::Custom(CustomLoss::ByRow(_)) => 1,
        _ => width,
    };
    for i in (0..z.len()).filter(|i| !z[*i].value().is_finite()) {
        local.spoil((i % apart..z.len()).step_by(apart));
    }
    if negative { local.negated() } else { local }
}

/// −1, 0 or 1; NaN of NaN.
fn sign<T: Real>(x: T) -> T {
    if x == T::zero() { T::zero() } else { x / x.abs() }
}

/// A cross-entropy at each position of `z`, `[C, positions]`. `target` gives the distribution at a position; without one
/// the position counts nothing.
fn cross_entropies<T: Real>(
    model: &Model,
    mode: Mode,
    z: &[T],
    target: impl Fn(usize) -> Option<Vec<T>>,
) -> Local<T> {
    let positions = model.positions();
    let mut all = Local::nothing(z.len(), mode.leading());
    let mut value = Sum::new();
    for position in 0..positions {
        let Some(y) = target(position) else { continue };
        let z: Vec<T> = z.iter().copied().skip(position).step_by(positions).collect();
        let mut one = cross_entropy(mode, &z, &effective_target(model.loss(), y));
        if !z.iter().all(|z| z.value().is_finite()) {
            one.spoil(0..z.len());
        }
        value.add(one.value);
        let vectors = all.u.iter_mut().zip(one.u);
        for (all, one) in [(&mut all.g, one.g), (&mut all.h, one.h)].into_iter().chain(vectors) {
            all.iter_mut().skip(position).step_by(positions).zip(one).for_each(|(all, one)| *all = one);
        }
    }
    all.value = value.value();
    all
}

/// All mass on one class; `None` for the class that is ignored.
fn one_hot<T: Real>(model: &Model, class: u32) -> Option<Vec<T>> {
    let ignored =
        matches!(model.loss(), Loss::SoftmaxCrossEntropy { ignore_index: Some(i), .. } if *i == class);
    let mut y = vec![T::zero(); model.classes()];
    (!ignored).then(|| {
        y[class as usize] = T::one();
        y
    })
}

impl<T: Real> Local<T> {
    /// A loss that is a sum over logits: of each its `[value, g, h]`.
    pub(super) fn sum(terms: impl Iterator<Item = [T; 3]>) -> Local<T> {
        let mut local = Local { value: T::zero(), g: Vec::new(), h: Vec::new(), u: Vec::new() };
        let mut sum = Sum::new();
        for [value, g, h] in terms {
            sum.add(value);
            local.g.push(g);
            local.h.push(h);
        }
        local.value = sum.value();
        local
    }

    /// By the user's closure.
    fn by_row(loss: &RowLoss, z: &[T], targets: &[T]) -> Local<T> {
        let plain = |x: &[T]| -> Vec<f64> { x.iter().map(|x| x.value()).collect() };
        let (mut g, mut h) = (vec![0.0; z.len()], vec![0.0; z.len()]);
        let value = T::from_f64(loss.at(&plain(z), &plain(targets), &mut g, &mut h));
        let [g, h] = [g, h].map(|plane| plane.into_iter().map(T::from_f64).collect());
        Local { value, g, h, u: Vec::new() }
    }

    fn append(&mut self, other: Local<T>) {
        self.value += other.value;
        self.g.extend(other.g);
        self.h.extend(other.h);
    }

    /// Its curvature is diagonal, so there are no vectors yet.
    fn negated(mut self) -> Local<T> {
        self.value = -self.value;
        self.g.iter_mut().chain(&mut self.h).for_each(|x| *x = -*x);
        self
    }

    /// There is no loss at a logit that is not finite, and no signal at the logits that share a term with it.
    fn spoil(&mut self, places: impl Iterator<Item = usize> + Clone) {
        let nan = T::from_f64(f64::NAN);
        self.value = nan;
        let planes = [&mut self.g, &mut self.h].into_iter().chain(&mut self.u);
        planes
            .filter(|plane| !plane.is_empty())
            .for_each(|plane| places.clone().for_each(|i| plane[i] = nan));
    }

    fn nothing(outputs: usize, rank: usize) -> Local<T> {
        let zeros = vec![T::zero(); outputs];
        Local { value: T::zero(), g: zeros.clone(), h: zeros.clone(), u: vec![zeros; rank] }
    }
}

/// `y_c = w_c ((1−ε) t_c + ε m/C)` with m the mass of t: see [`Loss::SoftmaxCrossEntropy`].
fn effective_target<T: Real>(loss: &Loss, t: Vec<T>) -> Vec<T> {
    let number = |x: f32| T::from_f64(f64::from(x));
    let smoothing = match loss {
        Loss::SoftmaxCrossEntropy { label_smoothing, .. } => *label_smoothing,
        _ => 0.0,
    };
    let mass = t.iter().fold(T::zero(), |sum, t| sum + *t);
    let floor = number(smoothing) * mass / T::from_f64(t.len() as f64);
    let keep = T::one() - number(smoothing);
    let weight = |c: usize| loss.weights().map_or(T::one(), |w| number(w[c]));
    t.into_iter().enumerate().map(|(c, t)| weight(c) * (keep * t + floor)).collect()
}

/// HesScale-R at a loss of diagonal curvature: the `rank` largest positive entries of h (ties: lowest index) become
/// `u = √h e` and leave h. Where there are fewer, u is zero.
fn take_largest<T: Real>(h: &mut [T], rank: usize) -> Vec<Vec<T>> {
    let take = |_| {
        let mut u = vec![T::zero(); h.len()];
        let best = (0..h.len()).reduce(|best, i| if h[i] > h[best] { i } else { best });
        if let Some(best) = best.filter(|i| h[*i] > T::zero()) {
            u[best] = h[best].sqrt();
            h[best] = T::zero();
        }
        u
    };
    (0..rank).map(take).collect()
}

/// The variance head: `[log v, 1/v, s, t]` with `s = v'/v` and `t = v''/v`. In these the losses' formulas need no v², v³.
fn variance<T: Real>(var: Variance, rho: T) -> [T; 4] {
    let precision = |log_v: T| (-log_v).min(T::from_f64(MAX_LOG_PRECISION)).exp();
    match var {
        Variance::Log => [rho, precision(rho), T::one(), T::one()],
        Variance::Softplus => {
            let (s, rest) = sigmoid(rho);
            // Below −40, softplus(ρ) is e^ρ to the last bit of an f64.
            let ratio = |v: T| if rho < T::from_f64(-40.0) { (rho, T::one()) } else { (v.ln(), s / v) };
            let (log_v, ratio) = ratio(softplus(rho));
            [log_v, precision(log_v), ratio, ratio * rest]
        }
    }
}

/// `½ (log v + r²/v)` and its g and h along μ, `r = μ − t`.
fn gaussian_mean<T: Real>(var: Variance, r: T, rho: T) -> [T; 3] {
    let [log_v, precision, ..] = variance(var, rho);
    [(log_v + r * (r * precision)) / T::from_f64(2.0), r * precision, precision]
}

/// g and h along ρ; with `q = r²/v`: `g = ½ s (1 − q)`, `h = ½ s² (2q − 1) + ½ t (1 − q)`. The value is counted with μ.
fn gaussian_head<T: Real>(var: Variance, r: T, rho: T) -> [T; 3] {
    let [_, precision, s, t] = variance(var, rho);
    let (one, two) = (T::one(), T::from_f64(2.0));
    let q = r * (r * precision);
    [T::zero(), s * (one - q) / two, (s.squared() * (two * q - one) + t * (one - q)) / two]
}

/// A sum with its rounding error so far (Kahan): as accurate as one in twice the digits, however many terms.
#[derive(Debug, Clone, Copy)]
struct Sum<T> {
    value: T,
    lost: T,
}

impl<T: Real> Sum<T> {
    fn new() -> Sum<T> {
        Sum { value: T::zero(), lost: T::zero() }
    }

    fn add(&mut self, term: T) {
        let term = term - self.lost;
        let next = self.value + term;
        self.lost = (next - self.value) - term;
        self.value = next;
    }

    fn value(self) -> T {
        self.value
    }
}
