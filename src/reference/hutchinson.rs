//! Hutchinson's randomised estimate of the Hessian diagonal.

use super::hessian_vector_product;
use crate::model::{Model, Targets};
use crate::{Error, Result};

/// The mean of `v ∘ H v` over `samples` vectors of random signs, in the flat layout: unbiased, with a variance of the sum
/// of the row's squared off-diagonal entries over `samples` (Bekas, Kokiopoulou & Saad, 2007). The same seed gives the
/// same estimate.
///
/// # Errors
/// As [`pass`](super::pass), and [`Error::ZeroSize`] for no samples.
pub fn hutchinson_diagonal(
    model: &Model,
    parameters: &[f64],
    input: &[f64],
    targets: Targets<'_>,
    samples: usize,
    seed: u64,
) -> Result<Vec<f64>> {
    if samples == 0 {
        return Err(Error::zero_size("hutchinson", "the number of samples"));
    }
    let mut random = crate::rules::generator(seed);
    let mut mean = vec![0.0; parameters.len()];
    for _ in 0..samples {
        let v: Vec<f64> = mean.iter().map(|_| if random.bool() { 1.0 } else { -1.0 }).collect();
        let hv = hessian_vector_product(model, parameters, input, targets, &v)?;
        mean.iter_mut().zip(v.iter().zip(hv)).for_each(|(m, (v, hv))| *m += v * hv / samples as f64);
    }
    Ok(mean)
}
