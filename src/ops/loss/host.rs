//! Losses on the CPU. Logits and signal are `f32`; what lies between is `f64`, so nothing that `f32` can hold cancels,
//! overflows or is lost in a sum over many samples.

mod policy;
mod tangent;

use crate::rules::{
    self, CustomLoss, Loss, MAX_LOG_PRECISION, Mode, Noise, Reduction, RowLoss, Targets, Variance,
};
use std::ops::Range;

/// A loss at logits of one shape, with scratch memory for a sample.
#[derive(Debug, Clone)]
pub(crate) struct HostLoss {
    loss: Loss,
    /// Of one sample's logits.
    output: Vec<usize>,
    /// Logits of a sample, and classes and positions of a cross-entropy.
    outputs: usize,
    /// Whether behind them stand their derivatives along a direction.
    tangent: bool,
    /// What u is of g in [`Mode::Fisher`].
    spread: f64,
    /// What HesScale-S draws from.
    noise: Noise,
    classes: usize,
    positions: usize,
    row: Row,
    /// Of other losses, the sample's g and h.
    gradient: Vec<f64>,
    diagonal: Vec<f64>,
}

/// What each sample's loss is multiplied by.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HostWeights<'a> {
    /// One for each sample; none: 1.
    pub given: Option<&'a [f32]>,
    /// How many samples the whole is of which these are a part, if they are shares of it: then the reduction is in them.
    pub part_of: Option<usize>,
}

impl<'a> From<Option<&'a [f32]>> for HostWeights<'a> {
    fn from(given: Option<&'a [f32]>) -> HostWeights<'a> {
        HostWeights { given, part_of: None }
    }
}

/// Where the signal at the logits goes: `[N, outputs]` each, or empty where the mode has none.
#[derive(Debug, Default)]
pub(crate) struct LossSignal<'a> {
    pub g: &'a mut [f32],
    /// With vectors u, the rest beside them.
    pub h: &'a mut [f32],
    pub u: [&'a mut [f32]; 2],
}

impl LossSignal<'_> {
    fn spoil(&mut self, places: impl Iterator<Item = usize> + Clone) {
        for plane in [&mut *self.g, &mut *self.h].into_iter().chain(self.u.iter_mut().map(|u| &mut **u)) {
            fill(plane, places.clone(), f32::NAN);
        }
    }
}

fn fill(plane: &mut [f32], places: impl Iterator<Item = usize>, value: f32) {
    if !plane.is_empty() {
        places.for_each(|i| plane[i] = value);
    }
}

impl HostLoss {
    /// For logits of shape `output` a sample.
    pub(crate) fn new(loss: &Loss, output: &[usize]) -> HostLoss {
        let (outputs, positions) = (output.iter().product(), output[1..].iter().product());
        let (loss, row, output) = (loss.clone(), Row::default(), output.to_vec());
        let (gradient, diagonal) = (Vec::new(), Vec::new());
        let (classes, tangent, spread, noise) = (output[0], false, 1.0, Noise::default());
        HostLoss {
            loss,
            tangent,
            spread,
            noise,
            classes,
            output,
            outputs,
            positions,
            row,
            gradient,
            diagonal,
        }
    }

    /// With, behind a sample's logits, their derivatives along a direction: the signal at the logits is the product of the loss's
    /// Hessian with that, and at it the gradient.
    #[cfg(feature = "cpu")]
    pub(crate) fn along(self, tangent: bool) -> HostLoss {
        HostLoss { tangent, ..self }
    }

    /// The loss of logits `[N, outputs]`, reduced over the batch. The signal, if asked for, carries the reduction factor as
    /// well. A logit or policy target that is not finite makes the loss NaN, and the signal where it acts, unless its class is
    /// ignored. Mode, targets and weights have been checked by [`Model::check_mode`](crate::Model::check_mode),
    /// [`check_targets`](crate::Model::check_targets) and [`check_sample_weights`](crate::Model::check_sample_weights).
    pub(crate) fn run(
        &mut self,
        (mode, noise): (Mode, Noise),
        logits: &[f32],
        targets: Targets<'_>,
        weights: HostWeights<'_>,
        mut signal: Option<LossSignal<'_>>,
    ) -> f64 {
        let batch = logits.len() / self.outputs / (1 + usize::from(self.tangent));
        let weight = |sample: usize| weights.given.map_or(1.0, |weights| f64::from(weights[sample]));
        let factor = if weights.part_of.is_some() { 1.0 } else { self.factor(batch, targets, weight) };
        self.noise = noise;
        self.spread = self.loss.spread(weights.part_of.unwrap_or(batch)).sqrt();
        let mut value = 0.0;
        if self.tangent {
            for sample in 0..batch {
                let signal = signal.as_mut().map(|signal| &mut *signal.g);
                value += weight(sample)
                    * self.sample_along(factor * weight(sample), sample, logits, targets, signal);
            }
            return factor * value;
        }
        for sample in 0..batch {
            let logits = &logits[sample * self.outputs..][..self.outputs];
            let (signal, weight) = (signal.as_mut(), weight(sample));
            value += match self.loss {
                Loss::SoftmaxCrossEntropy { .. } => {
                    self.cross_entropies(mode, [factor, weight], sample, logits, targets, signal)
                }
                Loss::External => unreachable!("it takes no targets, which have been checked"),
                _ => weight * self.curved_by_itself(mode, factor * weight, sample, logits, targets, signal),
            };
        }
        if mode == Mode::Fisher
            && let Some(signal) = &mut signal
        {
            signal.h.fill(0.0);
            let from = signal.u[0].iter_mut().zip(&*signal.g);
            from.for_each(|(u, g)| *u = (self.spread * f64::from(*g)) as f32);
        }
        factor * value
    }

    /// The factor of value and signal; of a weighted mean one over the sum of all weights that count, 0 where they cancel.
    pub(crate) fn factor(&self, batch: usize, targets: Targets<'_>, weight: impl Fn(usize) -> f64) -> f64 {
        if self.loss.reduction() != Reduction::WeightedMean {
            return self.loss.factor(batch, &self.output);
        }
        let of_class = |class: &u32| match Some(*class) == self.loss.ignored() {
            true => 0.0,
            false => self.loss.weights().map_or(1.0, |weights| f64::from(weights[*class as usize])),
        };
        let rows = self.loss.rows(&self.output);
        let of_sample = |sample: usize| match targets {
            Targets::Classes(given) => given[sample * rows..][..rows].iter().map(of_class).sum(),
            Targets::Values(_) => (rows * self.loss.terms(&self.output)) as f64,
        };
        let weights = (0..batch).map(|sample| weight(sample) * of_sample(sample));
        let [sum, magnitude] = weights.fold([0.0, 0.0], |[sum, most], w| [sum + w, most + w.abs()]);
        rules::weighted_factor(sum, magnitude)
    }

    /// Zeros for g and h of a sample; its targets.
    fn begin<'t>(&mut self, sample: usize, targets: &'t [f32]) -> &'t [f32] {
        for plane in [&mut self.gradient, &mut self.diagonal] {
            plane.clear();
            plane.resize(self.outputs, 0.0);
        }
        let width = self.loss.target_len(&self.output);
        &targets[sample * width..][..width]
    }

    /// A loss whose curvature is a diagonal, or counts as one: g and h of each logit by itself.
    fn curved_by_itself(
        &mut self,
        mode: Mode,
        scale: f64,
        sample: usize,
        logits: &[f32],
        targets: Targets<'_>,
        signal: Option<&mut LossSignal<'_>>,
    ) -> f64 {
        let Targets::Values(targets) = targets else { return f64::NAN };
        let row = self.begin(sample, targets);
        let at_logits = [&mut self.gradient[..], &mut self.diagonal];
        let value = match self.loss {
            Loss::PpoDiscrete { clip, entropy, .. } => {
                policy::discrete(&mut self.row, logits, row, [clip, entropy], at_logits)
            }
            Loss::PpoGaussian { clip, entropy, .. } => {
                policy::gaussian(logits, row, [clip, entropy], at_logits)
            }
            Loss::Custom(CustomLoss::ByRow(ref loss)) => self.row.by_row(loss, logits, row, at_logits),
            _ => terms(&self.loss, self.positions, logits, row, at_logits),
        };
        if let Some(signal) = signal {
            let first = sample * self.outputs;
            for (to, g) in signal.g[first..].iter_mut().zip(&self.gradient) {
                *to = (scale * g) as f32;
            }
            if mode == Mode::Fisher {
                return value;
            }
            if mode.has_diagonal() {
                for (to, h) in signal.h[first..].iter_mut().zip(&mut self.diagonal) {
                    *h *= scale;
                    *to = *h as f32;
                }
            }
            let places = first..first + self.outputs;
            take_largest(mode.leading(), &mut self.diagonal, places.clone(), signal);
            if mode.is_sampled() {
                let signs = (0..self.outputs).map(|output| sign(self.noise, sample, output));
                take_roots(mode.leading(), &self.diagonal, signs, places, signal);
            }
        }
        value
    }

    /// The sum over a sample's positions.
    fn cross_entropies(
        &mut self,
        mode: Mode,
        [factor, weight]: [f64; 2],
        sample: usize,
        logits: &[f32],
        targets: Targets<'_>,
        mut signal: Option<&mut LossSignal<'_>>,
    ) -> f64 {
        let (positions, classes) = (self.positions, self.classes);
        let mut value = 0.0;
        for position in 0..positions {
            let in_sample = move || (0..classes).map(move |c| c * positions + position);
            let places = move || in_sample().map(move |i| sample * classes * positions + i);
            let counts = match targets {
                Targets::Classes(given) => {
                    let class = given[sample * positions + position];
                    let counts = Some(class) != self.loss.ignored();
                    if counts {
                        self.row.set_class(&self.loss, classes, class as usize);
                    }
                    counts
                }
                Targets::Values(given) => {
                    self.row.set_masses(&self.loss, places().map(|i| f64::from(given[i])));
                    true
                }
            };
            if !counts {
                if let Some(signal) = &mut signal {
                    fill(signal.g, places(), 0.0);
                    fill(signal.h, places(), 0.0);
                    signal.u.iter_mut().for_each(|u| fill(u, places(), 0.0));
                }
            } else if in_sample().any(|i| !logits[i].is_finite()) {
                value = f64::NAN;
                if let Some(signal) = &mut signal {
                    signal.spoil(places());
                }
            } else {
                self.row.weigh(weight);
                self.row.set_logits(in_sample().map(|i| f64::from(logits[i])));
                value += self.row.value();
                if let Some(signal) = &mut signal {
                    let noise = self.noise;
                    self.row.leave(mode, factor, |c| sign(noise, sample, c), places(), signal);
                }
            }
        }
        value
    }
}

// ---- Sums over targets ----

/// A sum over targets, each with one logit or, for a Gaussian, a mean and a variance head `K` apart. Returns it; leaves g and h.
fn terms(loss: &Loss, positions: usize, logits: &[f32], row: &[f32], [g, h]: [&mut [f64]; 2]) -> f64 {
    let mut value = 0.0;
    for (k, target) in row.iter().enumerate() {
        let heads = (k..logits.len()).step_by(row.len());
        if heads.clone().any(|i| !logits[i].is_finite()) {
            value = f64::NAN;
            heads.for_each(|i| (g[i], h[i]) = (f64::NAN, f64::NAN));
            continue;
        }
        let (z, t) = (f64::from(logits[k]), f64::from(*target));
        let term = match loss {
            Loss::Mse { .. } => squared_error(z, t),
            Loss::BceWithLogits { pos_weight, .. } => {
                let weight = pos_weight.as_ref().map_or(1.0, |weights| weights[k / positions]);
                binary_cross_entropy(z, t, f64::from(weight))
            }
            Loss::GaussianNll { var, .. } => gaussian(*var, z - t, f64::from(logits[row.len() + k])),
            Loss::Huber { delta, .. } => huber(z - t, *delta),
            Loss::L1 { .. } => absolute_error(z - t),
            Loss::RelativeMse { eps, .. } => relative_error(z, t, *eps),
            Loss::Custom(CustomLoss::Elementwise(loss)) => {
                let rules::Term { value, g, h } = loss.at(z, t);
                Term { value, g: [g, 0.0], h: [h, 0.0] }
            }
            Loss::SoftmaxCrossEntropy { .. }
            | Loss::PpoDiscrete { .. }
            | Loss::PpoGaussian { .. }
            | Loss::Custom(CustomLoss::ByRow(_))
            | Loss::External => unreachable!("it is no sum over targets"),
        };
        value += term.value;
        for (i, (at_g, at_h)) in heads.zip(term.g.into_iter().zip(term.h)) {
            (g[i], h[i]) = (at_g, at_h);
        }
    }
    value
}

/// What one target contributes: the value, and g and h of its one or two logits.
struct Term {
    value: f64,
    g: [f64; 2],
    h: [f64; 2],
}

fn squared_error(z: f64, t: f64) -> Term {
    let d = z - t;
    Term { value: d * d, g: [2.0 * d, 0.0], h: [2.0, 0.0] }
}

/// `w t softplus(−z) + (1 − t) softplus(z)`: a confident right answer does not cancel.
fn binary_cross_entropy(z: f64, t: f64, weight: f64) -> Term {
    let ([p, q], other, positive) = (sigmoids(z), 1.0 - t, weight * t);
    let value = other * softplus(z) + positive * softplus(-z);
    Term { value, g: [other * p - positive * q, 0.0], h: [(other + positive) * (p * q), 0.0] }
}

/// Beyond δ it is a line. What is not finite spoils all of it.
fn huber(r: f64, delta: f64) -> Term {
    let (value, g, h) = match r.abs() <= delta {
        true => (0.5 * r * r, r, 1.0),
        false => (delta * (r.abs() - 0.5 * delta), delta.copysign(r), 0.0),
    };
    spoilt_by(r, Term { value, g: [g, 0.0], h: [h, 0.0] })
}

fn absolute_error(r: f64) -> Term {
    let sign = if r == 0.0 { 0.0 } else { r.signum() };
    spoilt_by(r, Term { value: r.abs(), g: [sign, 0.0], h: [0.0; 2] })
}

/// `(z − t)²/s²` with `s² = z² + ε` held constant.
fn relative_error(z: f64, t: f64, eps: f64) -> Term {
    let s = (z * z + eps).sqrt();
    let d = (z - t) / s;
    Term { value: d * d, g: [2.0 * d / s, 0.0], h: [2.0 / s / s, 0.0] }
}

fn spoilt_by(x: f64, term: Term) -> Term {
    if x.is_finite() { term } else { Term { value: f64::NAN, g: [f64::NAN; 2], h: [f64::NAN; 2] } }
}

/// `½ (log v + r²/v)`. With `q = r²/v`, `s = v'/v`, `w = v''/v` its derivatives along ρ are `½ s (1 − q)` and
/// `½ s² (2q − 1) + ½ w (1 − q)`.
fn gaussian(var: Variance, r: f64, rho: f64) -> Term {
    let (log_v, s, w) = match var {
        Variance::Log => (rho, 1.0, 1.0),
        // Below −40, softplus(ρ) is e^ρ to the last bit.
        Variance::Softplus if rho < -40.0 => (rho, 1.0, sigmoids(rho)[1]),
        Variance::Softplus => {
            let ([p, q], v) = (sigmoids(rho), softplus(rho));
            (v.ln(), p / v, p / v * q)
        }
    };
    let precision = (-log_v).min(MAX_LOG_PRECISION).exp();
    let q = r * r * precision;
    let head = [0.5 * s * (1.0 - q), 0.5 * (s * s * (2.0 * q - 1.0) + w * (1.0 - q))];
    Term { value: 0.5 * (log_v + q), g: [r * precision, head[0]], h: [precision, head[1]] }
}

/// HesScale-R where curvature is diagonal: the `rank` largest positive entries of `diagonal` (ties: lowest index) become
/// `u = √h e` and leave h.
fn take_largest(rank: usize, diagonal: &mut [f64], places: Range<usize>, signal: &mut LossSignal<'_>) {
    for u in &mut signal.u[..rank] {
        u[places.clone()].fill(0.0);
        let mut largest = None;
        for (i, h) in diagonal.iter().enumerate() {
            if *h > largest.map_or(0.0, |(_, most)| most) {
                largest = Some((i, *h));
            }
        }
        if let Some((i, h)) = largest {
            u[places.start + i] = h.sqrt() as f32;
            signal.h[places.start + i] = 0.0;
            diagonal[i] = 0.0;
        }
    }
}

/// Of what is left, every positive entry becomes one of the random vector behind `found` others.
fn take_roots(
    found: usize,
    diagonal: &[f64],
    signs: impl Iterator<Item = f64>,
    places: Range<usize>,
    signal: &mut LossSignal<'_>,
) {
    for ((i, h), sign) in places.zip(diagonal).zip(signs) {
        signal.u[found][i] = (sign * h.max(0.0).sqrt()) as f32;
        // NaN stays.
        signal.h[i] = if *h > 0.0 { 0.0 } else { *h as f32 };
    }
}

/// Of the random vector, 1 or −1.
fn sign(noise: Noise, sample: usize, output: usize) -> f64 {
    if noise.is_negative(sample as u32, output as u32) { -1.0 } else { 1.0 }
}

/// `[σ(a), σ(−a)]`
fn sigmoids(a: f64) -> [f64; 2] {
    let e = (-a.abs()).exp();
    let (large, small) = (1.0 / (1.0 + e), e / (1.0 + e));
    if a < 0.0 { [small, large] } else { [large, small] }
}

/// `log(1 + e^a)`
fn softplus(a: f64) -> f64 {
    a.max(0.0) + (-a.abs()).exp().ln_1p()
}

// ---- Softmax cross-entropy ----

/// Curvature below this stays in h: as a vector it would have no digits in f32.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// One softmax with its effective target y.
#[derive(Debug, Clone, Default)]
struct Row {
    /// Logits, counted from the largest.
    z: Vec<f64>,
    p: Vec<f64>,
    y: Vec<f64>,
    /// Mass of y.
    mass: f64,
    /// The first of the largest logits.
    top: usize,
    /// `Σ e^z` of all others: all that is known of `1 − p` at the top.
    others: f64,
    /// A column of what is left of the Hessian, and vectors found so far.
    column: Vec<f64>,
    u: [Vec<f64>; 2],
}

impl Row {
    /// A loss of the user's own; all of it is NaN where an output is not finite.
    fn by_row(&mut self, loss: &RowLoss, logits: &[f32], targets: &[f32], [g, h]: [&mut [f64]; 2]) -> f64 {
        for (to, from) in [(&mut self.z, logits), (&mut self.y, targets)] {
            to.clear();
            to.extend(from.iter().map(|x| f64::from(*x)));
        }
        let value = loss.at(&self.z, &self.y, g, h);
        if logits.iter().all(|z| z.is_finite()) {
            return value;
        }
        g.fill(f64::NAN);
        h.fill(f64::NAN);
        f64::NAN
    }

    fn set_class(&mut self, loss: &Loss, classes: usize, class: usize) {
        self.set_masses(loss, (0..classes).map(|c| if c == class { 1.0 } else { 0.0 }));
    }

    /// `y_c = w_c ((1−ε) t_c + ε m_t/C)`, m_t the mass of t.
    fn set_masses(&mut self, loss: &Loss, t: impl Iterator<Item = f64>) {
        self.y.clear();
        self.y.extend(t);
        let smoothing = match loss {
            Loss::SoftmaxCrossEntropy { label_smoothing, .. } => f64::from(*label_smoothing),
            _ => 0.0,
        };
        if smoothing > 0.0 {
            let floor = smoothing * self.y.iter().sum::<f64>() / self.y.len() as f64;
            self.y.iter_mut().for_each(|y| *y = (1.0 - smoothing) * *y + floor);
        }
        if let Some(weights) = loss.weights() {
            self.y.iter_mut().zip(weights).for_each(|(y, w)| *y *= f64::from(*w));
        }
        self.mass = self.y.iter().sum();
    }

    /// Everything is linear in the target.
    fn weigh(&mut self, weight: f64) {
        self.y.iter_mut().for_each(|y| *y *= weight);
        self.mass *= weight;
    }

    /// Finite logits.
    fn set_logits(&mut self, logits: impl Iterator<Item = f64>) {
        let Row { z, p, top, others, .. } = self;
        z.clear();
        z.extend(logits);
        *top = (0..z.len()).fold(0, |top, c| if z[c] > z[top] { c } else { top });
        let most = z[*top];
        z.iter_mut().for_each(|z| *z -= most);
        p.clear();
        p.extend(z.iter().map(|z| z.exp()));
        p[*top] = 0.0;
        *others = p.iter().sum();
        p[*top] = 1.0;
        let scale = 1.0 / (1.0 + *others);
        p.iter_mut().for_each(|p| *p *= scale);
    }

    /// `1 − p`: at the top the sum of the other probabilities.
    fn rest(&self, c: usize) -> f64 {
        if c == self.top { self.others / (1.0 + self.others) } else { 1.0 - self.p[c] }
    }

    /// `−Σ y log p`
    fn value(&self) -> f64 {
        let log_sum = self.others.ln_1p();
        self.y.iter().zip(&self.z).map(|(y, z)| y * (log_sum - z)).sum()
    }

    /// g = `m p − y` and h = `m (p − p²)`, or in [`Mode::Bl89`] h = `y (p − p²)`. HesScale-R and -S take vectors out of h where it is
    /// above 0, and leave all in h elsewhere.
    fn leave(
        &mut self,
        mode: Mode,
        factor: f64,
        sign: impl Fn(usize) -> f64,
        places: impl Iterator<Item = usize> + Clone,
        signal: &mut LossSignal<'_>,
    ) {
        let rank = mode.rank();
        let vectors = rank > 0 && mode != Mode::Fisher && factor * self.mass > 0.0;
        if vectors {
            self.find_vectors(mode.leading());
            if mode.is_sampled() {
                self.draw(mode.leading(), sign);
            }
        }
        let root = (factor * self.mass).max(0.0).sqrt();
        for (c, i) in places.enumerate() {
            let (p, y, rest) = (self.p[c], self.y[c], self.rest(c));
            // m p − y, arranged so that a confident right answer does not cancel.
            signal.g[i] = (factor * (p * (self.mass - y) - y * rest)) as f32;
            if !mode.has_diagonal() || mode == Mode::Fisher {
                continue;
            }
            let mut h = p * rest;
            for (found, (plane, u)) in signal.u[..rank].iter_mut().zip(&self.u).enumerate() {
                let u = if vectors { u[c] } else { 0.0 };
                // A random vector is as large as the rest on average only.
                h = if found < mode.leading() && u * u > h { 0.0 } else { h - u * u };
                plane[i] = (root * u) as f32;
            }
            let mass = if mode == Mode::Bl89 { y } else { self.mass };
            signal.h[i] = (factor * mass * h) as f32;
        }
    }

    /// `rank` Nyström steps at `H = diag p − p pᵀ`: for the j-th likeliest class, `a = H e`, `w = H a`, `u = w / √(a·w)`,
    /// `H ← H − u uᵀ`.
    fn find_vectors(&mut self, rank: usize) {
        let mut class = Some(self.top);
        for found in 0..rank {
            let mut u = std::mem::take(&mut self.u[found]);
            u.clear();
            u.resize(self.p.len(), 0.0);
            if let Some(class) = class {
                self.direction(class, found, &mut u);
            }
            self.u[found] = u;
            class = class.and_then(|class| self.next_likeliest(class));
        }
    }

    /// The next direction, from class `c`; zeros stay where nothing but rounding is left of its column.
    fn direction(&mut self, c: usize, found: usize, w: &mut [f64]) {
        let mut a = std::mem::take(&mut self.column);
        a.clear();
        a.extend(self.p.iter().map(|p| -p * self.p[c]));
        a[c] = self.p[c] * self.rest(c);
        let rounding = (16.0 * f64::EPSILON * a[c]).max(TINY);
        for u in &self.u[..found] {
            a.iter_mut().zip(u).for_each(|(a, other)| *a -= other * u[c]);
        }
        let scale = a.iter().fold(0.0_f64, |most, a| most.max(a.abs()));
        if scale > rounding {
            a.iter_mut().for_each(|a| *a /= scale);
            // H a = p ∘ (a − p·a), with a counted from its entry at the top: p·a is then a sum of small terms.
            let origin = a[self.top];
            let mean: f64 = self.p.iter().zip(&a).map(|(p, a)| p * (a - origin)).sum();
            w.iter_mut().zip(self.p.iter().zip(&a)).for_each(|(w, (p, a))| *w = p * (a - origin - mean));
            for u in &self.u[..found] {
                let along = dot(u, &a);
                w.iter_mut().zip(u).for_each(|(w, u)| *w -= u * along);
            }
            let product = dot(&a, w);
            let by = if product > 0.0 { product.sqrt().recip() } else { 0.0 };
            w.iter_mut().for_each(|w| *w *= by);
        }
        self.column = a;
    }

    /// Behind `found` vectors, none or `u = B q` with `B = diag √p − p √pᵀ`, the random `v = B (1 − q qᵀ) s`.
    fn draw(&mut self, found: usize, sign: impl Fn(usize) -> f64) {
        let mut v = std::mem::take(&mut self.u[found]);
        v.clear();
        let (top, root) = (self.top, |c: usize| self.p[c].sqrt());
        let signed = |c: usize| root(c) * sign(c);
        // The top is left out, where p may be all but 1.
        let below: f64 = (0..self.p.len()).filter(|c| *c != top).map(signed).sum();
        let others = |c: usize| if c == top { below } else { below - signed(c) + signed(top) };
        // As u is p ∘ (a − p·a) for some a, q is √p ∘ (a − p·a).
        let q = |c: usize, u: f64| if u == 0.0 { 0.0 } else { u / root(c) };
        let along = |u: &[f64]| -> f64 { u.iter().enumerate().map(|(c, u)| q(c, *u) * sign(c)).sum() };
        let leading = self.u[..found].first().map(|u| (u, along(u)));
        v.extend((0..self.p.len()).map(|c| {
            let all = root(c) * (sign(c) * self.rest(c) - root(c) * others(c));
            leading.map_or(all, |(u, along)| all - u[c] * along)
        }));
        self.u[found] = v;
    }

    /// The class whose logit ranks behind that of `class`; of equals the lower index ranks first.
    fn next_likeliest(&self, class: usize) -> Option<usize> {
        let z = &self.z;
        let behind = |c: &usize| z[*c] < z[class] || (z[*c] == z[class] && *c > class);
        (0..z.len()).filter(behind).reduce(|best, c| if z[c] > z[best] { c } else { best })
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
