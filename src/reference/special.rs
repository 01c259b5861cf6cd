//! The error function, which the standard library lacks.

use std::f64::consts::PI;

/// `erf(x) = 2/√π ∫₀ˣ e^{−t²} dt`, to 1e-15 relative.
pub fn erf(x: f64) -> f64 {
    if x.abs() < 1.0 { series(x) } else { (1.0 - fraction(x.abs())).copysign(x) }
}

/// `1 − erf(x)`, to 4e-15 relative wherever it is a normal number: the tail does not cancel.
pub fn erfc(x: f64) -> f64 {
    if x < -1.0 {
        2.0 - fraction(-x)
    } else if x < 1.0 {
        1.0 - series(x)
    } else {
        fraction(x)
    }
}

/// erf inside ±1: `2/√π e^{−x²} Σ x (2x²)ⁿ / (1·3·5…(2n+1))`, all terms of one sign (Abramowitz & Stegun 7.1.6).
fn series(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > sum.abs() * 1e-17 {
        odd += 2.0;
        term = term * 2.0 * x * x / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// erfc from 1 on: `e^{−x²}/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …))))` (Abramowitz & Stegun 7.1.14), from the inside out.
fn fraction(x: f64) -> f64 {
    if x.is_nan() || x > 28.0 {
        return if x.is_nan() { x } else { 0.0 };
    }
    let terms = (10.0 + 210.0 / (x * x)) as u32;
    let inner = (1..=terms).rev().fold(x, |inner, n| x + 0.5 * f64::from(n) / inner);
    // x² loses digits that e^ would magnify: split x so that the head's square is exact.
    let head = f64::from(x as f32);
    (-head * head).exp() * (-(x - head) * (x + head)).exp() / (PI.sqrt() * inner)
}
