//! The losses: value, g and h at the logits.

use super::layer::act::{sigmoid, softplus};
use super::softmax::cross_entropy;
use super::{Real, Signal};
use crate::Result;
use crate::model::{Loss, Mode, Model, Targets, Variance, batch_of};
use crate::rules::MAX_LOG_PRECISION;

/// A loss at one sample before the reduction factor: its value, and g and h `[K]` at the logits.
pub(super) struct Local<T> {
    pub(super) value: T,
    pub(super) g: Vec<T>,
    /// In the HesScale-R modes the whole diagonal if `u` is empty, else the rest beside `u`.
    pub(super) h: Vec<T>,
    /// The vectors carried exactly; empty if curvature is diagonal, for then they are picked from `h`.
    pub(super) u: Vec<Vec<T>>,
}

/// The loss of a batch of logits `[N, K]` and the signal it starts, reduction factor included in both.
///
/// # Errors
/// [`Error::TargetKind`](crate::Error) for [`Loss::External`], which has no value; [`Error::ZeroSize`](crate::Error),
/// [`Error::Length`](crate::Error) for logits, [`Error::Unsupported`](crate::Error) for
/// HesScale-R with a cross-entropy at several positions, and all of [`Model::check_targets`].
pub fn loss_and_signal<T: Real>(
    model: &Model,
    mode: Mode,
    logits: &[T],
    targets: Targets<'_>,
) -> Result<(T, Signal<T>)> {
    let outputs = model.outputs();
    let batch = batch_of("logits", logits.len(), outputs)?;
    model.check_mode(mode)?;
    model.check_targets(batch, targets)?;

    let factor = T::from_f64(model.loss().factor(batch, model.output_shape()));
    let root = factor.sqrt();
    let (mut value, mut g, mut h) = (Sum::new(), Vec::new(), Vec::new());
    let mut u = vec![Vec::new(); mode.rank()];
    for (n, z) in logits.chunks_exact(outputs).enumerate() {
        let mut local = sample(model, mode, z, targets, n);
        if local.u.is_empty() {
            local.u = take_largest(&mut local.h, mode.rank());
        }
        value.add(factor * local.value);
        g.extend(local.g.into_iter().map(|g| factor * g));
        if mode.has_diagonal() {
            h.extend(local.h.into_iter().map(|h| factor * h));
        }
        for (all, one) in u.iter_mut().zip(local.u) {
            all.extend(one.into_iter().map(|u| root * u));
        }
    }
    Ok((value.value(), Signal::new(g, h, u)))
}

/// Sample `n`: its logits `z` against its row of targets.
fn sample<T: Real>(model: &Model, mode: Mode, z: &[T], targets: Targets<'_>, n: usize) -> Local<T> {
    let width = model.target_len();
    let row: Vec<T> = match targets {
        Targets::Values(t) => t[n * width..][..width].iter().map(|t| T::from_f64(f64::from(*t))).collect(),
        Targets::Classes(_) => Vec::new(),
    };
    match model.loss() {
        Loss::SoftmaxCrossEntropy { .. } => match targets {
            Targets::Values(_) => cross_entropies(model, mode, z, |position| {
                Some(row.iter().copied().skip(position).step_by(model.positions()).collect())
            }),
            Targets::Classes(classes) => {
                cross_entropies(model, mode, z, |position| one_hot(model, classes[n * width + position]))
            }
        },
        Loss::Mse { .. } => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            let (d, two) = (*z - *t, T::from_f64(2.0));
            [d * d, two * d, two]
        })),
        Loss::BceWithLogits { .. } => Local::sum(z.iter().zip(&row).map(|(z, t)| {
            // softplus(z) − t z and σ(z) − t, written so that a confident right answer does not cancel.
            let ((p, rest), other) = (sigmoid(*z), T::one() - *t);
            [other * softplus(*z) + *t * softplus(-*z), other * p - *t * rest, p * rest]
        })),
        Loss::GaussianNll { var, .. } => {
            let (means, heads) = z.split_at(width);
            let pairs = || means.iter().zip(heads).zip(&row);
            let mut local = Local::sum(pairs().map(|((m, r), t)| gaussian_mean(*var, *m - *t, *r)));
            local.append(Local::sum(pairs().map(|((m, r), t)| gaussian_head(*var, *m - *t, *r))));
            local
        }
        Loss::External => unreachable!("it takes no targets, which have been checked"),
    }
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
    let mut all = Local::nothing(z.len(), mode.rank());
    let mut value = Sum::new();
    for position in 0..positions {
        let Some(y) = target(position) else { continue };
        let z: Vec<T> = z.iter().copied().skip(position).step_by(positions).collect();
        let one = cross_entropy(mode, &z, &effective_target(model.loss(), y));
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
    fn sum(terms: impl Iterator<Item = [T; 3]>) -> Local<T> {
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

    fn append(&mut self, other: Local<T>) {
        self.value += other.value;
        self.g.extend(other.g);
        self.h.extend(other.h);
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
