//! HesScale-R with a random vector.

use super::softmax::{Softmax, dot, sum};
use super::{Real, Signal, loss_and_signal};
use crate::model::{Loss, Mode, Model, Targets};
use crate::rules::generator;
use crate::{Error, Result};

/// The loss of a batch of logits `[N, K]` as [`loss_and_signal`] has it, and a signal whose last vector is random: in
/// [`Mode::HesScaleR1`] that one alone, in [`Mode::HesScaleR2`] behind HesScale-R's first. A pass from it
/// ([`pass_from_signal`](super::pass_from_signal), [`OutputSignal`](crate::model::OutputSignal) elsewhere) costs what it costs in that
/// mode.
///
/// Of a sample's Hessian at the outputs, `H = B Bᵀ` (a softmax: `B = √m (diag √p − p √pᵀ)` with m the mass of the target; a diagonal:
/// its root), the first vector is `u = B q` and the random one `v = B (1 − q qᵀ) s` with a random sign s for each output, so that the
/// mean of `u uᵀ + v vᵀ` over signs is all of H. What is left of the diagonal, `h = diag H − u² − v²`, is on average 0 and may be
/// negative: with it the diagonal at the outputs is exact in every draw.
///
/// The estimate is an unbiased one of the Gauss-Newton matrix' diagonal (of the Hessian's where activations are piecewise linear); the
/// network's own second derivatives are HesScale's. Its noise falls with the number of samples and of draws. Of a batch's signs those
/// of two outputs are orthogonal over the samples (columns of a Hadamard matrix, in a random order), which has samples that are alike
/// cancel each other's noise.
///
/// # Errors
/// [`Error::Unsupported`] for other modes; those of [`loss_and_signal`].
pub fn sampled_loss_and_signal<T: Real>(
    model: &Model,
    mode: Mode,
    logits: &[T],
    targets: Targets<'_>,
    seed: u64,
) -> Result<(T, Signal<T>)> {
    let before = match mode {
        Mode::HesScaleR1 => Mode::HesScale,
        Mode::HesScaleR2 => Mode::HesScaleR1,
        _ => return Err(Error::unsupported("loss", format!("a random vector in mode {}", mode.name()))),
    };
    model.check_mode(mode)?;
    let (loss, signal) = loss_and_signal(model, before, logits, targets)?;
    let outputs = model.outputs();
    let signs = Signs::new(logits.len() / outputs, outputs, seed);
    let mut v = Vec::with_capacity(logits.len());
    for (sample, z) in logits.chunks(outputs).enumerate() {
        let range = sample * outputs..(sample + 1) * outputs;
        let s: Vec<T> = (0..outputs).map(|output| signs.of(sample, output)).collect();
        match model.loss() {
            Loss::SoftmaxCrossEntropy { .. } => {
                let u = signal.u.first().map_or(&[][..], |u| &u[range.clone()]);
                v.extend(of_softmax(z, &signal.h[range], u, s));
            }
            _ => {
                let rest = &signal.diagonal()[range];
                v.extend(rest.iter().zip(s).map(|(h, s)| h.max(T::zero()).sqrt() * s));
            }
        }
    }
    let rest = signal.diagonal().iter().zip(&v).map(|(rest, v)| *rest - v.squared()).collect();
    let u = signal.u.into_iter().chain([v]).collect();
    Ok((loss, Signal::new(signal.g, rest, u)))
}

/// `√m B (1 − q qᵀ) s`, where `h` is the diagonal of `m B Bᵀ`; q is that of `u`, the vector for the likeliest class, where it is there
/// and not zero.
fn of_softmax<T: Real>(z: &[T], h: &[T], u: &[T], mut s: Vec<T>) -> Vec<T> {
    let softmax = Softmax::of(z);
    let mass = sum(h) / dot(&softmax.p, &softmax.rest);
    // Also where it is NaN: a saturated softmax has no curvature.
    if mass.partial_cmp(&T::zero()) != Some(std::cmp::Ordering::Greater) {
        return vec![T::zero(); z.len()];
    }
    if u.iter().any(|u| *u != T::zero()) {
        let q = softmax.towards_the_likeliest();
        let along = dot(&q, &s);
        s.iter_mut().zip(&q).for_each(|(s, q)| *s = *s - *q * along);
    }
    softmax.root_times(&s).into_iter().map(|v| mass.sqrt() * v).collect()
}

/// A sign for each output of each sample.
struct Signs {
    rows: Vec<usize>,
    /// Of the Hadamard matrix, and whether it is turned over.
    columns: Vec<(usize, bool)>,
}

impl Signs {
    fn new(samples: usize, outputs: usize, seed: u64) -> Signs {
        let mut random = generator(seed);
        let size = samples.max(outputs).next_power_of_two();
        let mut drawn = |count: usize| -> Vec<usize> {
            let mut all: Vec<usize> = (0..size).collect();
            random.shuffle(&mut all);
            all.truncate(count);
            all
        };
        let (rows, columns) = (drawn(samples), drawn(outputs));
        Signs { rows, columns: columns.into_iter().map(|column| (column, random.bool())).collect() }
    }

    fn of<T: Real>(&self, sample: usize, output: usize) -> T {
        let (column, turned) = self.columns[output];
        let is_negative = (self.rows[sample] & column).count_ones() % 2 == 1;
        if is_negative != turned { -T::one() } else { T::one() }
    }
}
