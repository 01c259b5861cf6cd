//! The elementwise functions with their first two derivatives.
//!
//! Every formula is arranged so that nothing overflows and nothing cancels where the function saturates: `1 − σ(a)` is
//! `σ(−a)`, `1 − tanh² a` is `4e/(1+e)²` with `e = exp(−2|a|)`, and the tail of Φ comes from erfc.

use crate::model::Activation;
use crate::reference::Real;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// selu's constants (Klambauer et al., 2017).
const SELU_LAMBDA: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// `[f(a), f'(a), f''(a)]`. At a kink the derivatives are those that PyTorch takes: at 0 relu's zeros; the negative branch's f' of
/// leaky_relu, elu and selu, and 0 for f'', which is 0 on the other side; of relu6, hard_sigmoid and hard_swish the straight side's.
///
/// Finite for every finite `a`, but for square's f' past half the largest number; `e^a` and a² stop growing at e^88.72 in `f32`, at e^709.78 in `f64`. f of NaN is NaN. At ±∞ f is
/// what PyTorch gives: NaN for sin and softsign, and for gelu, gelu_tanh, silu, mish and hard_swish at −∞, where it is −∞ · 0; else
/// the limit. f' and f'' are the limits, NaN for sin. Of one in the user's own WGSL all follow from its closure; they are NaN
/// without one, and in dual numbers.
pub fn activation<T: Real>(function: Activation, a: T) -> [T; 3] {
    let (zero, one, two) = (T::zero(), T::one(), T::from_f64(2.0));
    match function {
        Activation::Identity => [a, one, zero],
        Activation::Relu => {
            if a <= zero {
                [zero; 3]
            } else {
                [a, one, zero]
            }
        }
        Activation::LeakyRelu { alpha } => piecewise(a, one, T::from_f64(alpha)),
        Activation::Elu { alpha } => exponential_unit(a, 1.0, alpha),
        Activation::Selu => exponential_unit(a, SELU_LAMBDA, SELU_LAMBDA * SELU_ALPHA),
        Activation::Sigmoid => {
            let (s, rest) = sigmoid(a);
            [s, s * rest, s * rest * (rest - s)]
        }
        Activation::Tanh => {
            let e = (-two * a.abs()).exp();
            let (t, d1) = (a.tanh(), T::from_f64(4.0) * e / (one + e).squared());
            [t, d1, -two * t * d1]
        }
        Activation::LogSigmoid => {
            let (s, rest) = sigmoid(a);
            [-softplus(-a), rest, -s * rest]
        }
        Activation::Softplus => {
            let (s, rest) = sigmoid(a);
            [softplus(a), s, s * rest]
        }
        Activation::Gelu => {
            // Φ and its derivatives are constant to the last bit past 40; a² must not overflow there.
            let b = clamp(a, 40.0);
            let phi = (-b.squared() / two).exp() * T::from_f64(1.0 / (2.0 * PI).sqrt());
            let cdf = (-b * T::from_f64(FRAC_1_SQRT_2)).erfc() / two;
            [a * cdf, cdf + b * phi, phi * (two - b.squared())]
        }
        Activation::GeluTanh => {
            // ½ (1 + tanh w) = σ(2w), constant to the last bit past 30.
            let b = clamp(a, 30.0);
            let (scale, cubic) = (T::from_f64(2.0 * (2.0 / PI).sqrt()), T::from_f64(0.044715));
            let three = T::from_f64(3.0);
            let w = scale * (b + cubic * b * b.squared());
            let w1 = scale * (one + three * cubic * b.squared());
            let w2 = scale * three * two * cubic * b;
            gated(a, b, w, w1, w2)
        }
        // σ(1000) is 1 to the last bit; a · 0 must be 0 in the derivatives.
        Activation::Silu => gated(a, clamp(a, 1000.0), a, one, zero),
        Activation::Mish => mish(a),
        Activation::Relu6 => {
            let six = T::from_f64(6.0);
            if a <= zero {
                [zero; 3]
            } else if a >= six {
                [six, zero, zero]
            } else {
                [a, one, zero]
            }
        }
        Activation::HardSigmoid => {
            let [s, s1] = ramp(a);
            [s, s1, zero]
        }
        Activation::HardSwish => {
            let [s, s1] = ramp(a);
            // Beyond the kinks `a s'` is 0 for an infinite a too.
            let rise = if s1 > zero { a * s1 } else { zero };
            [a * s, s + rise, two * s1]
        }
        Activation::Softsign => {
            let rest = one / (one + a.abs());
            let second = -two * rest * rest.squared();
            let sign = if a < zero { -one } else { one };
            [a * rest, rest.squared(), if a.value() == 0.0 { zero } else { sign * second }]
        }
        Activation::Square if a.value().abs() == f64::INFINITY => [a.abs(), two * a, two],
        Activation::Square => {
            let most = (T::MAX_EXPONENT / 2.0).exp();
            [clamp(a, most).squared(), two * a, two]
        }
        Activation::Sin { frequency } => {
            let frequency = T::from_f64(frequency);
            let w = frequency * a;
            // A finite argument stays so where the product leaves the type's range.
            let left = a.value().is_finite() && !w.value().is_finite();
            let w = if left { clamp(w, T::MAX_EXPONENT.exp()) } else { w };
            [w.sin(), frequency * w.cos(), -frequency.squared() * w.sin()]
        }
        Activation::Exp if a.value() == f64::INFINITY => [a; 3],
        Activation::Exp => [a.min(T::from_f64(T::MAX_EXPONENT)).exp(); 3],
        Activation::Custom(_) if T::VARIES => [T::from_f64(f64::NAN); 3],
        Activation::Custom(custom) => custom.at(a.value()).map(T::from_f64),
    }
}

/// `a t`, `t = tanh(log(1 + e^a))`. With `x = e^−|a|`, so that nothing overflows: below 0 `t = n / D`, `n = x² + 2x`, `D = n + 2`;
/// above, both divided by e^2a.
fn mish<T: Real>(a: T) -> [T; 3] {
    let [one, two, three, four] = [1.0, 2.0, 3.0, 4.0].map(T::from_f64);
    // t is constant to the last bit, or 0, past 800; a · 0 must be 0 in the derivatives.
    let b = clamp(a, 800.0);
    let x = (-b.abs()).exp();
    let (t, d, t1, t2);
    if b < T::zero() {
        d = x.squared() + two * x + two;
        t = x * (x + two) / d;
        t1 = x * (x + one);
        t2 = x * (two + two * x - x.squared() * (three + two * x));
    } else {
        d = one + two * x + two * x.squared();
        t = (one + two * x) / d;
        t1 = x.squared() * (one + x);
        t2 = x.squared() * (x.squared() * (two + two * x) - two - three * x);
    }
    let t1 = four * t1 / d.squared();
    let t2 = four * t2 / (d * d.squared());
    [a * t, t + b * t1, t1 + t1 + b * t2]
}

/// hard_sigmoid and its slope.
fn ramp<T: Real>(a: T) -> [T; 2] {
    let (three, six) = (T::from_f64(3.0), T::from_f64(6.0));
    if a <= -three {
        [T::zero(); 2]
    } else if a >= three {
        [T::one(), T::zero()]
    } else {
        [(a + three) / six, T::one() / six]
    }
}

/// `positive·a` above 0, `negative·a` at 0 and below.
fn piecewise<T: Real>(a: T, positive: T, negative: T) -> [T; 3] {
    let slope = if a <= T::zero() { negative } else { positive };
    [slope * a, slope, T::zero()]
}

/// `slope·a` above 0, `scale (e^a − 1)` at 0 and below.
fn exponential_unit<T: Real>(a: T, slope: f64, scale: f64) -> [T; 3] {
    let (slope, scale) = (T::from_f64(slope), T::from_f64(scale));
    if a <= T::zero() {
        let e = scale * a.exp();
        [scale * a.exp_m1(), e, if a < T::zero() { e } else { T::zero() }]
    } else {
        [slope * a, slope, T::zero()]
    }
}

/// `a σ(w)`, w a function of `b` with derivatives `w1`, `w2`; `b` is `a`, or `a` clamped where σ is constant anyway.
fn gated<T: Real>(a: T, b: T, w: T, w1: T, w2: T) -> [T; 3] {
    let (s, rest) = sigmoid(w);
    let s1 = s * rest * w1;
    let s2 = s * rest * (w2 + w1.squared() * (rest - s));
    [a * s, s + b * s1, s1 + s1 + b * s2]
}

/// `(σ(a), σ(−a))`: both accurate, neither overflows.
pub(in crate::reference) fn sigmoid<T: Real>(a: T) -> (T, T) {
    let e = (-a.abs()).exp();
    let (large, small) = (T::one() / (T::one() + e), e / (T::one() + e));
    if a < T::zero() { (small, large) } else { (large, small) }
}

/// `log(1 + e^a)`
pub(in crate::reference) fn softplus<T: Real>(a: T) -> T {
    a.max(T::zero()) + (-a.abs()).exp().ln_1p()
}

pub(super) fn clamp<T: Real>(a: T, bound: f64) -> T {
    a.min(T::from_f64(bound)).max(T::from_f64(-bound))
}
