//! Dual numbers: a value and its slope along one direction. They make derivatives exact, with no step size.

use super::Real;
use std::cmp::Ordering;
use std::f64::consts::PI;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// `value + slope·ε` with `ε² = 0`. Nested (`Dual<Dual<f64>>`) it carries second derivatives.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dual<T> {
    /// The number.
    pub value: T,
    /// Its derivative along the direction of the variables' slopes.
    pub slope: T,
}

impl<T: Real> Dual<T> {
    /// A number that does not vary.
    pub fn constant(value: T) -> Self {
        Dual { value, slope: T::zero() }
    }

    /// The variable itself: slope 1.
    pub fn variable(value: T) -> Self {
        Dual { value, slope: T::one() }
    }

    /// The chain rule: `f(self)`, given f's value and derivative there.
    fn chain(self, value: T, derivative: T) -> Self {
        Dual { value, slope: derivative * self.slope }
    }
}

impl<T: Real> PartialEq for Dual<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Real> PartialOrd for Dual<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Real> Add for Dual<T> {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Dual { value: self.value + b.value, slope: self.slope + b.slope }
    }
}

impl<T: Real> AddAssign for Dual<T> {
    fn add_assign(&mut self, b: Self) {
        *self = *self + b;
    }
}

impl<T: Real> Sub for Dual<T> {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Dual { value: self.value - b.value, slope: self.slope - b.slope }
    }
}

impl<T: Real> Mul for Dual<T> {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        Dual { value: self.value * b.value, slope: self.slope * b.value + self.value * b.slope }
    }
}

impl<T: Real> Div for Dual<T> {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let value = self.value / b.value;
        Dual { value, slope: (self.slope - value * b.slope) / b.value }
    }
}

impl<T: Real> Neg for Dual<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Dual { value: -self.value, slope: -self.slope }
    }
}

impl<T: Real> Real for Dual<T> {
    const EPSILON: f64 = T::EPSILON;
    const VARIES: bool = true;
    const MAX_EXPONENT: f64 = T::MAX_EXPONENT;

    fn from_f64(x: f64) -> Self {
        Dual::constant(T::from_f64(x))
    }
    fn value(self) -> f64 {
        self.value.value()
    }
    fn exp(self) -> Self {
        let e = self.value.exp();
        self.chain(e, e)
    }
    fn exp_m1(self) -> Self {
        self.chain(self.value.exp_m1(), self.value.exp())
    }
    fn ln(self) -> Self {
        self.chain(self.value.ln(), T::one() / self.value)
    }
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), T::one() / (T::one() + self.value))
    }
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.chain(root, T::one() / (root + root))
    }
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }
    fn tanh(self) -> Self {
        let t = self.value.tanh();
        self.chain(t, T::one() - t.squared())
    }
    fn erfc(self) -> Self {
        let scale = T::from_f64(-2.0 / PI.sqrt());
        self.chain(self.value.erfc(), scale * (-self.value.squared()).exp())
    }
}
