//! Activations on the CPU: one sweep over memory each way. The formulas are the reference's.

use crate::host::math::{erfc, exp, exponential, sigmoid, softplus, tanh};
use crate::host::{Call, SampleOp};
use crate::model::{Activation, Mode};
use pulp::Arch;
use std::f32::consts::{FRAC_1_SQRT_2, PI};

const SELU_LAMBDA: f32 = 1.050_701;
const SELU_ALPHA: f32 = 1.673_263_2;

/// e^44.36: the square of a larger number counts as its own.
const MOST_SQUARED: f32 = 1.842_057_7e19;

/// An elementwise function of `size` elements a sample.
#[derive(Debug)]
pub(crate) struct Act {
    pub function: Activation,
    pub size: usize,
}

impl SampleOp for Act {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        forward(self.function, inputs[0], output);
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        backward(self.function, call.mode, call.input, signal, to);
    }

    fn work(&self) -> usize {
        32 * self.size
    }
}

/// A loop over elements, given the function `a ↦ [f, f', f'']`. Generic, so that it is compiled for each function; and a `for`, because
/// what `for_each` calls may be compiled without this CPU's vectors.
trait Sweep {
    fn with(self, f: impl Fn(f32) -> [f32; 3]);
}

/// `z ← f(a)`
fn forward(function: Activation, a: &[f32], z: &mut [f32]) {
    struct Values<'a>(&'a [f32], &'a mut [f32]);
    impl Sweep for Values<'_> {
        #[inline(always)]
        fn with(self, f: impl Fn(f32) -> [f32; 3]) {
            for (z, a) in self.1.iter_mut().zip(self.0) {
                *z = f(*a)[0];
            }
        }
    }
    apply(function, Values(a, z));
}

/// `g, u ← f'·g, f'·u` and `h ← f'²·h + f''·g`, without the last term in Gauss-Newton mode. Components are `[g, u …, h]`, or `g`
/// alone.
fn backward(function: Activation, mode: Mode, a: &[f32], s: &[&[f32]], to: &mut [&mut [f32]]) {
    let (Some((g, others)), Some((to_g, to_others))) = (s.split_first(), to.split_first_mut()) else {
        return;
    };
    let (Some((h, u)), Some((to_h, to_u))) = (others.split_last(), to_others.split_last_mut()) else {
        return apply(function, Scale { a, s: g, to: to_g });
    };
    for (s, to) in u.iter().zip(to_u) {
        apply(function, Scale { a, s, to });
    }
    match mode.is_curved() {
        true => apply(function, WithDiagonal::<true> { a, g, h, to_g, to_h }),
        false => apply(function, WithDiagonal::<false> { a, g, h, to_g, to_h }),
    }
}

/// `to ← f'(a) s`
pub(crate) fn slope(function: Activation, a: &[f32], s: &[f32], to: &mut [f32]) {
    apply(function, Scale { a, s, to });
}

/// `to ← f''(a) x s`
pub(crate) fn bend(function: Activation, a: &[f32], x: &[f32], s: &[f32], to: &mut [f32]) {
    struct Bend<'a>([&'a [f32]; 3], &'a mut [f32]);
    impl Sweep for Bend<'_> {
        #[inline(always)]
        fn with(self, f: impl Fn(f32) -> [f32; 3]) {
            let [a, x, s] = self.0;
            let from = a.iter().zip(x).zip(s);
            for (to, ((a, x), s)) in self.1.iter_mut().zip(from) {
                *to = f(*a)[2] * x * s;
            }
        }
    }
    apply(function, Bend([a, x, s], to));
}

/// One component times f'.
struct Scale<'a> {
    a: &'a [f32],
    s: &'a [f32],
    to: &'a mut [f32],
}

impl Sweep for Scale<'_> {
    #[inline(always)]
    fn with(self, f: impl Fn(f32) -> [f32; 3]) {
        for (to, (a, s)) in self.to.iter_mut().zip(self.a.iter().zip(self.s)) {
            *to = f(*a)[1] * s;
        }
    }
}

/// Gradient and diagonal together.
struct WithDiagonal<'a, const CURVED: bool> {
    a: &'a [f32],
    g: &'a [f32],
    h: &'a [f32],
    to_g: &'a mut [f32],
    to_h: &'a mut [f32],
}

impl<const CURVED: bool> Sweep for WithDiagonal<'_, CURVED> {
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

/// Runs `sweep` with the function, vectorized for this CPU.
fn apply(function: Activation, sweep: impl Sweep) {
    let arch = Arch::new();
    macro_rules! with {
        // Inlined, or a sweep would call it for each element by itself.
        ($($f:tt)*) => {
            arch.dispatch(
                #[inline(always)]
                move || {
                    sweep.with(
                        #[inline(always)]
                        $($f)*
                    )
                },
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
        Activation::Mish => with!(|a| -> [f32; 3] { mish(a) }),
        Activation::Relu6 => with!(|a| {
            let inside = if a <= 0.0 { [0.0; 3] } else { [a, 1.0, 0.0] };
            if a >= 6.0 { [6.0, 0.0, 0.0] } else { inside }
        }),
        Activation::HardSigmoid => with!(|a| {
            let [s, s1] = ramp(a);
            [s, s1, 0.0]
        }),
        Activation::HardSwish => with!(|a| {
            let [s, s1] = ramp(a);
            [a * s, s + a.clamp(-3.0, 3.0) * s1, 2.0 * s1]
        }),
        Activation::Softsign => with!(|a: f32| {
            let rest = 1.0 / (1.0 + a.abs());
            let second = -2.0 * rest * rest * rest;
            [a * rest, rest * rest, if a == 0.0 { 0.0 } else { second.copysign(-a) }]
        }),
        Activation::Square => with!(|a: f32| {
            let bounded = a.clamp(-MOST_SQUARED, MOST_SQUARED);
            [if a.abs() == f32::INFINITY { a.abs() } else { bounded * bounded }, 2.0 * a, 2.0]
        }),
        Activation::Sin { frequency } => {
            let frequency = frequency as f32;
            with!(move |a: f32| {
                let w = frequency * a;
                // A finite argument stays so.
                let w = if a.is_finite() { w.clamp(-f32::MAX, f32::MAX) } else { w };
                let (sin, cos) = w.sin_cos();
                [sin, frequency * cos, -frequency * frequency * sin]
            })
        }
        Activation::Custom(custom) => sweep.with(|a| custom.at(f64::from(a)).map(|x| x as f32)),
        Activation::Exp => with!(|a| [if a == f32::INFINITY { a } else { exp(a) }; 3]),
    }
}

/// The reference's formula; of f32 t is constant past 200.
#[inline(always)]
fn mish(a: f32) -> [f32; 3] {
    let b = a.clamp(-200.0, 200.0);
    let x = exp(-b.abs());
    let pick = |below: f32, above: f32| if b < 0.0 { below } else { above };
    let square = x * x;
    let d = pick(square + 2.0 * x + 2.0, 1.0 + 2.0 * x + 2.0 * square);
    let t = pick(x * (x + 2.0), 1.0 + 2.0 * x) / d;
    let t1 = 4.0 * pick(x * (x + 1.0), square * (1.0 + x)) / (d * d);
    let (below, above) = (2.0 + 2.0 * x - square * (3.0 + 2.0 * x), square * (2.0 + 2.0 * x) - 2.0 - 3.0 * x);
    let t2 = 4.0 * pick(x * below, square * above) / (d * d * d);
    [a * t, t + b * t1, t1 + t1 + b * t2]
}

/// hard_sigmoid and its slope.
#[inline(always)]
fn ramp(a: f32) -> [f32; 2] {
    let above = if a >= 3.0 { [1.0, 0.0] } else { [(a + 3.0) / 6.0, 1.0 / 6.0] };
    if a <= -3.0 { [0.0; 2] } else { above }
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

#[cfg(test)]
mod tests {
    use super::{MOST_SQUARED, backward, forward};
    use crate::model::{Activation, Mode};
    use crate::reference::activation;

    /// f, f' and f'' as sweeps leave them.
    fn sweep(function: Activation, a: &[f32]) -> [Vec<f32>; 3] {
        let mut f = vec![0.0; a.len()];
        forward(function, a, &mut f);
        // g = 1 and h = 0 become f' and f''.
        let (ones, zeros) = (vec![1.0; a.len()], vec![0.0; a.len()]);
        let (mut first, mut second) = (zeros.clone(), zeros.clone());
        backward(function, Mode::HesScale, a, &[&ones, &zeros], &mut [&mut first, &mut second]);
        [f, first, second]
    }

    fn same(got: f32, want: f64, scale: f64) -> bool {
        let got = f64::from(got);
        got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= 3e-6 * scale + 2e-36
    }

    /// Every 65,537th number of f32, with both signs, subnormals, the largest, infinities and NaN. Compared with the reference in
    /// f64 where that means the same, and in f32 where e^a and a² saturate or nothing is finite.
    #[test]
    fn all_of_f32_is_the_references() {
        let mut a: Vec<f32> = (0..=u32::MAX).step_by(65_537).map(f32::from_bits).collect();
        a.extend([0.0, -0.0, 1e38, -1e38, f32::MAX, f32::MIN, 88.5, 88.72, 88.8, -87.3, -87.4, -104.0]);
        a.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
        for function in Activation::ALL {
            let all = sweep(function, &a);
            for (i, a) in a.iter().enumerate() {
                let saturates = match function {
                    Activation::Exp => *a >= 88.7,
                    Activation::Square => a.abs() >= MOST_SQUARED,
                    _ => false,
                };
                let wide = a.is_finite() && !saturates;
                let want = if wide {
                    activation(function, f64::from(*a))
                } else {
                    activation(function, *a).map(f64::from)
                };
                // What cancels in a derivative is about as large as 1 and a.
                let cancels = a.abs().min(20.0) as f64;
                let scales =
                    [want[0].abs(), want[1].abs().max(0.2 * cancels.min(1.0)), want[2].abs().max(0.2)];
                // Where f'² overflows, h = 0 does not hide it.
                let squared = want[1] * want[1] <= f64::from(f32::MAX);
                let orders = if a.is_nan() { 1 } else { 2 + usize::from(squared) };
                for order in 0..orders {
                    let scale = if scales[order].is_finite() { scales[order] } else { 1.0 };
                    let scale = match function {
                        // The tail is good to 6e-7 absolutely.
                        Activation::Gelu => scale.max(cancels),
                        // What is rounded before it is an exponent is large.
                        Activation::GeluTanh => 20.0 * scale,
                        _ => scale,
                    };
                    // What f32 cannot hold is infinite.
                    let (got, want) = (all[order][i], f64::from(want[order] as f32));
                    assert!(
                        same(got, want, scale),
                        "{function:?} at {a:e}, order {order}: {got:e}, not {want:e}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_comparator_notices() {
        assert!(!same(-1.65, 0.0, 1.0) && !same(0.0, f64::NAN, 1.0) && !same(f32::NAN, 0.0, 1.0));
        assert!(!same(f32::MAX, f64::INFINITY, 1.0) && same(f32::NAN, f64::NAN, 1.0) && same(1.0, 1.0, 1.0));
    }
}
