//! Lanczos' method.

use super::{Operator, product, signs};
use crate::memory::{room, zeros};
use crate::{Error, Result};

/// What [`lanczos`] came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Ritz values, the largest first: the ends converge to the matrix' own ends first, from within.
    pub values: Vec<f64>,
    /// Of each a bound: within it an eigenvalue lies, but for the rounding of the products.
    pub errors: Vec<f64>,
    /// Of each the share of the random start vector, summing to 1: `Σ weight f(value)` estimates `trace f(A) / n` (stochastic Lanczos
    /// quadrature), so these are the density of the spectrum.
    pub weights: Vec<f64>,
    /// The vector of the largest value, of length 1, in the flat layout.
    pub first: Vec<f32>,
}

/// Eigenvalues from `steps` products, by Lanczos' method with full reorthogonalisation from a vector of random signs. It stops
/// early where the vectors span all that the start reaches. The largest value of a loss's Hessian is its sharpness.
///
/// Memory: `steps` vectors of f32, and two small matrices of `steps²` numbers.
///
/// # Errors
/// [`Error::ZeroSize`] for no steps, and for a matrix of none; [`Error::NotFinite`] for a product that is not finite; those of the
/// operator.
pub fn lanczos(operator: &mut (impl Operator + ?Sized), steps: usize, seed: u64) -> Result<Spectrum> {
    if steps == 0 {
        return Err(Error::zero_size("curvature", "the number of steps"));
    }
    let len = operator.len();
    let (mut v, mut av) = (zeros::<f32>("start", Some(len))?, zeros::<f32>("product", Some(len))?);
    signs(&mut crate::rules::generator(seed), operator, &mut v)?;
    let length = norm(&v);
    if length == 0.0 {
        return Err(Error::zero_size("curvature", "the number of parameters"));
    }
    v.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    let (mut basis, mut alpha, mut beta) = (room::<Vec<f32>>("basis", Some(steps))?, Vec::new(), Vec::new());
    let (mut rest, mut scale) = (zeros::<f64>("rest", Some(len))?, 0.0_f64);
    for _ in 0..steps {
        product(operator, &v, &mut av)?;
        let mut vector = room("basis", Some(len))?;
        vector.extend_from_slice(&v);
        basis.push(vector);
        rest.iter_mut().zip(&av).for_each(|(rest, x)| *rest = f64::from(*x));
        alpha.push(basis.last().map_or(0.0, |v| along(&rest, v)));
        // Twice: what rounding leaves of the first is gone after the second.
        for vector in basis.iter().chain(&basis) {
            let share = along(&rest, vector);
            rest.iter_mut().zip(vector).for_each(|(r, v)| *r -= share * f64::from(*v));
        }
        let length = rest.iter().map(|r| r * r).sum::<f64>().sqrt();
        beta.push(length);
        scale = scale.max(length).max(alpha.last().map_or(0.0, |a: &f64| a.abs()));
        // What is left is rounding of f32.
        if length <= 1e-6 * scale {
            break;
        }
        v.iter_mut().zip(&rest).for_each(|(v, r)| *v = (r / length) as f32);
    }
    let last = beta.last().copied().unwrap_or(0.0);
    let (values, vectors) = tridiagonal(&alpha, &beta[..beta.len() - 1])?;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    let mut first = zeros::<f64>("first vector", Some(len))?;
    for (vector, row) in basis.iter().zip(&vectors) {
        first.iter_mut().zip(vector).for_each(|(first, v)| *first += row[order[0]] * f64::from(*v));
    }
    let bottom = &vectors[vectors.len() - 1];
    Ok(Spectrum {
        values: order.iter().map(|i| values[*i]).collect(),
        errors: order.iter().map(|i| (last * bottom[*i]).abs()).collect(),
        weights: order.iter().map(|i| vectors[0][*i] * vectors[0][*i]).collect(),
        first: first.into_iter().map(|x| x as f32).collect(),
    })
}

fn norm(v: &[f32]) -> f64 {
    v.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt()
}

fn along(a: &[f64], v: &[f32]) -> f64 {
    a.iter().zip(v).map(|(a, v)| a * f64::from(*v)).sum()
}

/// Eigenvalues and, in columns, eigenvectors of a symmetric tridiagonal matrix, by Jacobi's rotations: it is small.
fn tridiagonal(diagonal: &[f64], beside: &[f64]) -> Result<(Vec<f64>, Vec<Vec<f64>>)> {
    let n = diagonal.len();
    let square = || (0..n).map(|_| zeros("matrix", Some(n))).collect::<Result<Vec<Vec<f64>>>>();
    let (mut a, mut vectors) = (square()?, square()?);
    for i in 0..n {
        (a[i][i], vectors[i][i]) = (diagonal[i], 1.0);
        if i + 1 < n {
            (a[i][i + 1], a[i + 1][i]) = (beside[i], beside[i]);
        }
    }
    for _sweep in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j] * a[i][j]).sum();
        let all: f64 = (0..n).map(|i| a[i][i] * a[i][i]).sum();
        if off <= 1e-30 * (all + off) {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] != 0.0 {
                    rotate(&mut a, &mut vectors, p, q);
                }
            }
        }
    }
    Ok(((0..n).map(|i| a[i][i]).collect(), vectors))
}

/// Makes `a[p][q]` zero.
fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in a.iter_mut().chain(vectors.iter_mut()) {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (c * x - s * y, s * x + c * y);
    }
    let (before, behind) = a.split_at_mut(q);
    for (x, y) in before[p].iter_mut().zip(&mut behind[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::tridiagonal;

    /// The matrix of second differences, whose eigenvalues are `2 − 2 cos(π k / (n + 1))`.
    #[test]
    fn eigenvalues_of_second_differences() {
        for n in [1, 2, 7, 40] {
            let (mut values, vectors) = tridiagonal(&vec![2.0; n], &vec![-1.0; n - 1]).unwrap();
            for (column, value) in values.iter().enumerate() {
                let x = |i: usize| vectors[i][column];
                for i in 0..n {
                    let before = if i > 0 { x(i - 1) } else { 0.0 };
                    let behind = if i + 1 < n { x(i + 1) } else { 0.0 };
                    assert!((2.0 * x(i) - before - behind - value * x(i)).abs() < 1e-12);
                }
            }
            values.sort_by(f64::total_cmp);
            for (k, value) in values.iter().enumerate() {
                let angle = std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64;
                assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-12, "{n}: {value}");
            }
        }
    }
}
