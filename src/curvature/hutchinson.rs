//! Hutchinson's estimates of diagonal and trace.

use super::{Operator, places, product, signs};
use crate::memory::zeros;
use crate::{Error, Result};

/// An estimate of a matrix' diagonal.
#[derive(Debug, Clone, PartialEq)]
pub struct DiagonalEstimate {
    /// `mean of v ∘ A v` over the probes, in the flat layout.
    pub diagonal: Vec<f32>,
    /// Of each number the standard error of that mean, from the probes' own spread; infinite with a single probe.
    pub standard_error: Vec<f32>,
    /// How many there were.
    pub probes: usize,
}

/// The diagonal, from `probes` vectors v of random signs: the mean of `v ∘ A v`. Unbiased; the variance of an entry is
/// `Σ_{j≠i} A_ij² / probes`, nothing for a diagonal matrix (Bekas, Kokiopoulou & Saad, 2007). The same seed gives the
/// same estimate.
///
/// With one probe a step and a mean over steps, as AdaHessian takes it (Yao et al., 2021, arXiv 2006.00719), it stands where
/// [`Mode::HesScale`](crate::Mode) has its diagonal: see `docs/curvature.md`.
///
/// # Errors
/// [`Error::ZeroSize`] for no probes; [`Error::Length`] for ranges that end behind the operator's vectors; [`Error::NotFinite`] for a
/// product that is not finite; those of the operator.
pub fn hutchinson(
    operator: &mut (impl Operator + ?Sized),
    probes: usize,
    seed: u64,
) -> Result<DiagonalEstimate> {
    let len = operator.len();
    let (mut mean, mut squares) = (zeros("mean", Some(len))?, zeros::<f64>("squares", Some(len))?);
    each_probe(operator, probes, seed, |probe, v, av| {
        for ((mean, squares), (v, av)) in mean.iter_mut().zip(&mut squares).zip(v.iter().zip(av)) {
            welford(mean, squares, f64::from(*v) * f64::from(*av), probe);
        }
    })?;
    let standard_error = squares.iter().map(|squares| standard_error(*squares, probes) as f32);
    let mut standard_error: Vec<f32> = standard_error.collect();
    let mut at_gaps = vec![true; len];
    places(operator.ranges()).for_each(|place| at_gaps[place] = false);
    standard_error.iter_mut().zip(at_gaps).filter(|(_, gap)| *gap).for_each(|(error, _)| *error = 0.0);
    Ok(DiagonalEstimate {
        diagonal: mean.into_iter().map(|mean: f64| mean as f32).collect(),
        standard_error,
        probes,
    })
}

/// An estimate of a matrix' trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceEstimate {
    /// The mean of `vᵀ A v` over the probes.
    pub trace: f64,
    /// The standard error of that mean, from the probes' own spread; infinite with a single probe.
    pub standard_error: f64,
    /// How many there were.
    pub probes: usize,
}

/// The trace, from `probes` vectors v of random signs: the mean of `vᵀ A v` (Hutchinson, 1990). Unbiased; its variance is
/// `2 Σ_{i≠j} A_ij² / probes`.
///
/// # Errors
/// As [`hutchinson`].
pub fn trace(operator: &mut (impl Operator + ?Sized), probes: usize, seed: u64) -> Result<TraceEstimate> {
    let (mut mean, mut squares) = (0.0, 0.0);
    each_probe(operator, probes, seed, |probe, v, av| {
        let sum = v.iter().zip(av).map(|(v, av)| f64::from(*v) * f64::from(*av)).sum();
        welford(&mut mean, &mut squares, sum, probe);
    })?;
    Ok(TraceEstimate { trace: mean, standard_error: standard_error(squares, probes), probes })
}

fn each_probe(
    operator: &mut (impl Operator + ?Sized),
    probes: usize,
    seed: u64,
    mut with: impl FnMut(usize, &[f32], &[f32]),
) -> Result<()> {
    if probes == 0 {
        return Err(Error::zero_size("curvature", "the number of probes"));
    }
    let mut random = crate::rules::generator(seed);
    let [mut v, mut av] = [zeros("probe", Some(operator.len()))?, zeros("product", Some(operator.len()))?];
    for probe in 0..probes {
        signs(&mut random, operator, &mut v)?;
        product(operator, &v, &mut av)?;
        with(probe, &v, &av);
    }
    Ok(())
}

/// Takes one more number into a mean and the sum of squared distances from it.
fn welford(mean: &mut f64, squares: &mut f64, x: f64, before: usize) {
    let distance = x - *mean;
    *mean += distance / (before + 1) as f64;
    *squares += distance * (x - *mean);
}

fn standard_error(squares: f64, probes: usize) -> f64 {
    if probes < 2 { f64::INFINITY } else { (squares / (probes * (probes - 1)) as f64).sqrt() }
}
