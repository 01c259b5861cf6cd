//! Elementwise functions in one sweep each, forward and back. The formulas are the reference's.

use super::math::{erfc, exp, exponential, sigmoid, softplus, tanh};
use crate::model::{Activation, Mode};
use pulp::Arch;
use std::f32::consts::{FRAC_1_SQRT_2, PI};

const SELU_LAMBDA: f32 = 1.050_701;
const SELU_ALPHA: f32 = 1.673_263_2;

/// Something to do with the function `a ↦ [f, f', f'']`. Generic, so that each function has loops of its own.
trait Sweep {
    fn with(self, f: impl Fn(f32) -> [f32; 3]);
}

/// `z ← f(a)`
pub(super) fn forward(function: Activation, a: &[f32], z: &mut [f32]) {
    struct Forward<'a>(&'a [f32], &'a mut [f32]);
    impl Sweep for Forward<'_> {
        #[inline(always)]
        fn with(self, f: impl Fn(f32) -> [f32; 3]) {
            self.1.iter_mut().zip(self.0).for_each(|(z, a)| *z = f(*a)[0]);
        }
    }
    apply(function, Forward(a, z));
}

/// `g, u ← f'·g, f'·u` and `h ← f'²·h + f''·g`, the last term not in Gauss-Newton mode. Planes are `[g, u …, h]`, or `g` alone.
pub(super) fn backward(function: Activation, mode: Mode, a: &[f32], s: &[&[f32]], to: &mut [&mut [f32]]) {
    let (Some((g, others)), Some((to_g, to_others))) = (s.split_first(), to.split_first_mut()) else {
        return;
    };
    let (Some((h, u)), Some((to_h, to_u))) = (others.split_last(), to_others.split_last_mut()) else {
        return apply(function, Scale { a, s: g, to: to_g });
    };
    for (s, to) in u.iter().zip(to_u) {
        apply(function, Scale { a, s, to });
    }
    match mode {
        Mode::HesScaleGn => apply(function, Pair::<false> { a, g, h, to_g, to_h }),
        _ => apply(function, Pair::<true> { a, g, h, to_g, to_h }),
    }
}

/// One plane times f'.
struct Scale<'a> {
    a: &'a [f32],
    s: &'a [f32],
    to: &'a mut [f32],
}

impl Sweep for Scale<'_> {
    #[inline(always)]
    fn with(self, f: impl Fn(f32) -> [f32; 3]) {
        self.to.iter_mut().zip(self.a.iter().zip(self.s)).for_each(|(to, (a, s))| *to = f(*a)[1] * s);
    }
}

/// Gradient and diagonal together.
struct Pair<'a, const CURVED: bool> {
    a: &'a [f32],
    g: &'a [f32],
    h: &'a [f32],
    to_g: &'a mut [f32],
    to_h: &'a mut [f32],
}

impl<const CURVED: bool> Sweep for Pair<'_, CURVED> {
    #[inline(always)]
    fn with(self, f: impl Fn(f32) -> [f32; 3]) {
        let from = self.a.iter().zip(self.g).zip(self.h);
        for ((to_g, to_h), ((a, g), h)) in self.to_g.iter_mut().zip(self.to_h).zip(from) {
            let [_, d1, d2] = f(*a);
            *to_g = d1 * g;
            *to_h = d1 * d1 * h + if CURVED { d2 * g } else { 0.0 };
        }
    }
}

/// Runs `sweep` with the function, compiled for what this processor has.
fn apply(function: Activation, sweep: impl Sweep) {
    let arch = Arch::new();
    macro_rules! with {
        ($f:expr) => {
            arch.dispatch(
                #[inline(always)]
                move || sweep.with($f),
            )
        };
    }
    match function {
        Activation::Identity => with!(|a| [a, 1.0, 0.0]),
        Activation::Relu => with!(|a| if a <= 0.0 { [0.0; 3] } else { [a, 1.0, 0.0] }),
        Activation::LeakyRelu { alpha } => {
            let alpha = alpha as f32;
            with!(move |a| piecewise(a, 1.0, alpha))
        }
        Activation::Elu { alpha } => {
            let alpha = alpha as f32;
            with!(move |a| exponential_unit(a, 1.0, alpha))
        }
        Activation::Selu => with!(|a| exponential_unit(a, SELU_LAMBDA, SELU_LAMBDA * SELU_ALPHA)),
        Activation::Sigmoid => with!(|a| {
            let (s, rest) = sigmoid(a);
            [s, s * rest, s * rest * (rest - s)]
        }),
        Activation::Tanh => with!(|a| {
            let (t, d1) = tanh(a);
            [t, d1, -2.0 * t * d1]
        }),
        Activation::LogSigmoid => with!(|a| {
            let (s, rest) = sigmoid(a);
            [-softplus(-a), rest, -s * rest]
        }),
        Activation::Softplus => with!(|a| {
            let (s, rest) = sigmoid(a);
            [softplus(a), s, s * rest]
        }),
        Activation::Gelu => with!(|a| {
            let b = a.clamp(-15.0, 15.0);
            let phi = exp(-0.5 * b * b) * (1.0 / (2.0 * PI).sqrt());
            let cdf = 0.5 * erfc(-b * FRAC_1_SQRT_2);
            [a * cdf, cdf + b * phi, phi * (2.0 - b * b)]
        }),
        Activation::GeluTanh => with!(|a| {
            // ½ (1 + tanh w) = σ(2w), constant to the last bit past 30.
            let (b, scale, cubic) = (a.clamp(-30.0, 30.0), 2.0 * (2.0 / PI).sqrt(), 0.044_715);
            let w = scale * (b + cubic * b * b * b);
            gated(a, b, w, scale * (1.0 + 3.0 * cubic * b * b), scale * 6.0 * cubic * b)
        }),
        Activation::Silu => with!(|a| gated(a, a.clamp(-200.0, 200.0), a, 1.0, 0.0)),
        Activation::Sin => with!(|a: f32| {
            let (sin, cos) = a.sin_cos();
            [sin, cos, -sin]
        }),
        Activation::Exp => with!(|a| [if a == f32::INFINITY { a } else { exp(a) }; 3]),
    }
}

/// `positive·a` above 0, `negative·a` at 0 and below.
#[inline(always)]
fn piecewise(a: f32, positive: f32, negative: f32) -> [f32; 3] {
    let slope = if a <= 0.0 { negative } else { positive };
    [slope * a, slope, 0.0]
}

/// `slope·a` above 0, `scale (e^a − 1)` at 0 and below.
#[inline(always)]
fn exponential_unit(a: f32, slope: f32, scale: f32) -> [f32; 3] {
    let (e, m) = exponential(a.min(0.0));
    let below = a <= 0.0;
    let pick = |negative: f32, positive: f32| if below { negative } else { positive };
    [pick(scale * m, slope * a), pick(scale * e, slope), if a < 0.0 { scale * e } else { 0.0 }]
}

/// `a σ(w)`, w a function of `b` with derivatives `w1`, `w2`; `b` is `a`, or `a` clamped where σ is constant anyway.
#[inline(always)]
fn gated(a: f32, b: f32, w: f32, w1: f32, w2: f32) -> [f32; 3] {
    let (s, rest) = sigmoid(w);
    let s1 = s * rest * w1;
    let s2 = s * rest * (w2 + w1 * w1 * (rest - s));
    [a * s, s + b * s1, s1 + s1 + b * s2]
}
