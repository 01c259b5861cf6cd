//! Batch normalization on the CPU.

use crate::host::vector::{add_squares, add_to};
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::{BatchNorm, inverse_deviation};

/// `z = γ x̂ + β`, `x̂ = (x − mean) / √(var + ε)`, per channel.
#[derive(Debug)]
pub(crate) struct Normalize {
    mean: Vec<f32>,
    /// `1 / √(var + ε)`
    inverse: Vec<f32>,
    eps: f64,
    positions: usize,
}

impl Normalize {
    pub(crate) fn new(norm: &BatchNorm, positions: usize) -> Normalize {
        let inverse = norm.inverse_deviations().map(|x| x as f32).collect();
        Normalize { mean: norm.mean.clone(), inverse, eps: norm.eps, positions }
    }

    fn channels(&self) -> usize {
        self.mean.len()
    }
}

impl SampleOp for Normalize {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let channels = self.channels();
        for (x, z) in inputs[0].chunks_exact(channels).zip(output.chunks_exact_mut(channels)) {
            let constants = self.mean.iter().zip(&self.inverse).zip(call.weight.iter().zip(call.bias));
            for ((z, x), ((mean, inverse), (gamma, beta))) in z.iter_mut().zip(x).zip(constants) {
                *z = gamma * ((x - mean) * inverse) + beta;
            }
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let channels = self.channels();
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(component, signal.len());
            for (s, to) in s.chunks_exact(channels).zip(to.chunks_exact_mut(channels)) {
                for ((to, s), (gamma, inverse)) in
                    to.iter_mut().zip(s).zip(call.weight.iter().zip(&self.inverse))
                {
                    let slope = gamma * inverse;
                    *to = s * if squared { slope * slope } else { slope };
                }
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn set_statistics(&mut self, mean: &[f32], var: &[f32]) {
        self.mean.copy_from_slice(mean);
        let computed = var.iter().map(|var| inverse_deviation(*var, self.eps) as f32);
        self.inverse.iter_mut().zip(computed).for_each(|(inverse, computed)| *inverse = computed);
    }

    fn scratch(&self, samples: usize, _: usize) -> usize {
        samples * self.positions * self.channels()
    }

    fn work(&self) -> usize {
        8 * self.positions * self.channels()
    }
}

impl Weighted for Normalize {
    fn sizes(&self) -> [usize; 2] {
        [self.channels(); 2]
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]) {
        let normal = &mut scratch[..x.len()];
        for (normal, x) in normal.chunks_exact_mut(self.channels()).zip(x.chunks_exact(self.channels())) {
            let constants = self.mean.iter().zip(&self.inverse);
            for ((normal, x), (mean, inverse)) in normal.iter_mut().zip(x).zip(constants) {
                *normal = (x - mean) * inverse;
            }
        }
        add_products([self.positions, self.channels()], normal, signal, sums);
    }
}

/// Adds what γ and β, which act at every position of a sample, have of samples with these x̂.
pub(super) fn add_products(
    [positions, channels]: [usize; 2],
    normal: &[f32],
    signal: &[&[f32]],
    sums: &mut Sums,
) {
    let sample = positions * channels;
    sums.add_bias(signal, sample);
    let Sums { gradient, diagonal, .. } = sums;
    let run = &mut vec![0.0; channels];
    for (component, s) in signal.iter().enumerate() {
        let squared = is_diagonal(component, signal.len());
        for (x, s) in normal.chunks_exact(sample).zip(s.chunks_exact(sample)) {
            // Each sample is summed by itself: shorter chains lose less to rounding.
            run.fill(0.0);
            for (x, s) in x.chunks_exact(channels).zip(s.chunks_exact(channels)) {
                for (sum, (x, s)) in run.iter_mut().zip(x.iter().zip(s)) {
                    *sum += s * if squared { x * x } else { *x };
                }
            }
            match component {
                0 => add_to(&mut gradient[0], run),
                _ if squared => add_to(&mut diagonal[0], run),
                _ => add_squares(&mut diagonal[0], run),
            }
        }
    }
}
