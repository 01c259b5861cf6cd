//! Conjugate gradients.

use super::{Operator, product};
use crate::memory::zeros;
use crate::{Error, Result};

/// What [`conjugate_gradients`] came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// x, in the flat layout.
    pub x: Vec<f32>,
    /// Products that it took.
    pub steps: usize,
    /// `|b − (A + λ) x| / |b|`, as the recurrence has it.
    pub residual: f64,
    /// A direction d with `dᵀ (A + λ) d ≤ 0` was met: the matrix is not positive definite, and x is where the search stood before it, or
    /// 0 if it was the first.
    pub negative_curvature: bool,
}

/// Solves `(A + λ) x = b` for a positive definite `A + λ` by conjugate gradients from 0 (Hestenes & Stiefel, 1952), until the residual
/// is at most `tolerance` times b's length (or 2^-52 times, whatever the tolerance), or after `most_steps`. With the Gauss-Newton matrix
/// and the gradient for b this is the step of truncated Newton methods (Martens, *Hessian-free optimization*, 2010). Sums are f64, products as the operator has them.
///
/// # Errors
/// [`Error::Length`] for b; [`Error::Value`] for a damping or a tolerance that is negative or not finite; [`Error::NotFinite`] for b or
/// a product that is not finite; those of the operator.
pub fn conjugate_gradients(
    operator: &mut (impl Operator + ?Sized),
    b: &[f32],
    damping: f64,
    tolerance: f64,
    most_steps: usize,
) -> Result<Solution> {
    Error::check_length("b", b.len(), operator.len())?;
    Error::check_finite("b", b)?;
    for (name, value) in [("the damping", damping), ("the tolerance", tolerance)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::value("curvature", name, value, "finite and >= 0"));
        }
    }
    let len = b.len();
    let mut x: Vec<f64> = zeros("x", Some(len))?;
    let mut residual: Vec<f64> = b.iter().map(|b| f64::from(*b)).collect();
    let mut direction = residual.clone();
    let [mut v, mut av] = [zeros("direction", Some(len))?, zeros("product", Some(len))?];
    let begin = dot(&residual, &residual);
    let (mut squares, mut steps, mut negative_curvature) = (begin, 0, false);
    // Products of f32 have nothing to say below that.
    let enough = begin * (tolerance * tolerance).max(f64::EPSILON * f64::EPSILON);
    while steps < most_steps && squares > enough {
        // A direction of length 1, so that f32 holds it.
        let scale = dot(&direction, &direction).sqrt();
        v.iter_mut().zip(&direction).for_each(|(v, d)| *v = (d / scale) as f32);
        product(operator, &v, &mut av)?;
        steps += 1;
        let curved = |(av, d): (&f32, &f64)| scale * f64::from(*av) + damping * d;
        let along: f64 = av.iter().zip(&direction).map(|(av, d)| d * curved((av, d))).sum();
        if along <= 0.0 {
            negative_curvature = true;
            break;
        }
        let step = squares / along;
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        residual.iter_mut().zip(av.iter().zip(&direction)).for_each(|(r, at)| *r -= step * curved(at));
        let next = dot(&residual, &residual);
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / squares * *d);
        squares = next;
    }
    let residual = if begin > 0.0 { (squares / begin).sqrt() } else { 0.0 };
    Ok(Solution { x: x.into_iter().map(|x| x as f32).collect(), steps, residual, negative_curvature })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
