//! The numbers the reference computes in: `f32`, `f64`, and [`Dual`](super::Dual) numbers over either.

use super::special;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A real number, as far as the reference needs one. Comparison is by value alone: a dual number's slope takes no part
/// in it, so that every branch is taken as the plain number would take it.
pub trait Real:
    Copy
    + Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// Distance from 1 to the next number.
    const EPSILON: f64;
    /// Whether it carries slopes, which a closure of `f64` would lose.
    const VARIES: bool = false;
    /// An argument whose exponential is finite and close to the largest number.
    const MAX_EXPONENT: f64;

    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The number without its slopes.
    fn value(self) -> f64;
    /// `e^x`
    fn exp(self) -> Self;
    /// `e^x − 1`, accurate near 0.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// `log(1 + x)`, accurate near 0.
    fn ln_1p(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Sine.
    fn sin(self) -> Self;
    /// Cosine.
    fn cos(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// `1 − erf(x)`, accurate where erf is close to 1.
    fn erfc(self) -> Self;

    /// 0
    fn zero() -> Self {
        Self::from_f64(0.0)
    }
    /// 1
    fn one() -> Self {
        Self::from_f64(1.0)
    }
    /// `x²`
    fn squared(self) -> Self {
        self * self
    }
    /// `|x|`
    fn abs(self) -> Self {
        if self < Self::zero() { -self } else { self }
    }
    /// The larger one. NaN in `self` stays, NaN in `other` is passed over.
    fn max(self, other: Self) -> Self {
        if self < other { other } else { self }
    }
    /// The smaller one. NaN in `self` stays, NaN in `other` is passed over.
    fn min(self, other: Self) -> Self {
        if self > other { other } else { self }
    }
}

macro_rules! real {
    ($float:ident, $max_exponent:literal: $($function:ident)*) => {
        impl Real for $float {
            const EPSILON: f64 = $float::EPSILON as f64;
            const MAX_EXPONENT: f64 = $max_exponent;

            fn from_f64(x: f64) -> Self {
                x as $float
            }
            fn value(self) -> f64 {
                self as f64
            }
            $(fn $function(self) -> Self {
                $float::$function(self)
            })*
            fn erfc(self) -> Self {
                special::erfc(self as f64) as $float
            }
        }
    };
}

// For f32, the largest exponent that the shaders use too.
real!(f32, 88.72: exp exp_m1 ln ln_1p sqrt sin cos tanh);
real!(f64, 709.78: exp exp_m1 ln ln_1p sqrt sin cos tanh);
