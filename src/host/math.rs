//! `exp` and functions built on it in `f32`, without branches or calls, so that the compiler vectorizes them. Stated errors are the
//! largest found against `f64`, relative unless said otherwise; a test checks them.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts: the first has so few digits that whole multiples of it are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Added and taken away again it rounds to a whole number, which then stands in the lowest bits of the sum.
const ROUND: f32 = 12_582_912.0;

/// `(n, e^r − 1)` with `x = n ln 2 + r`, |r| ≤ ½ ln 2; for x in ±89.
#[inline(always)]
fn split(x: f32) -> (i32, f32) {
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    // e^r = 1 + r + r² (1/2 + r/6 + …), fitted (Cephes).
    let p = ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r
        + 0.166_666_65)
        * r
        + 0.5;
    ((shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32), r + r * r * p)
}

/// 2ⁿ for n in −126 to 127.
#[inline(always)]
fn power(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// Below, e^x counts as 0: it is no normal number. Above, it stays.
const RANGE: [f32; 2] = [-87.33, 88.72];

/// `(e^x, e^x − 1)` for x up to 88. 2e-7, 3e-7.
#[inline(always)]
pub(crate) fn exponential(x: f32) -> (f32, f32) {
    let (n, p) = split(x.clamp(RANGE[0], 88.0));
    let scale = power(n);
    let m = scale * p;
    (if x < RANGE[0] { 0.0 } else { scale + m }, m + (scale - 1.0))
}

/// `e^x` alone. 2e-7.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (n, p) = split(x.clamp(RANGE[0], RANGE[1]));
    // In two factors, for 2¹²⁸ is none.
    let (half, rest) = (power(n >> 1), power(n - (n >> 1)));
    let e = half * (rest + rest * p);
    if x < RANGE[0] { 0.0 } else { e }
}

/// `log(1 + y)` for y in 0 to 1: `2 artanh s`, `s = y / (2 + y)`. 3e-7.
#[inline(always)]
pub(crate) fn log1p(y: f32) -> f32 {
    let s = y / (2.0 + y);
    let t = s * s;
    let series = ((((((t / 15.0 + 1.0 / 13.0) * t + 1.0 / 11.0) * t + 1.0 / 9.0) * t + 1.0 / 7.0) * t + 0.2)
        * t
        + 1.0 / 3.0)
        * t;
    2.0 * (s + s * series)
}

/// `(σ(a), σ(−a))`. 4e-7.
#[inline(always)]
pub(crate) fn sigmoid(a: f32) -> (f32, f32) {
    let e = exp(-a.abs());
    let large = 1.0 / (1.0 + e);
    let small = e * large;
    if a < 0.0 { (small, large) } else { (large, small) }
}

/// `log(1 + e^a)`. 4e-7.
#[inline(always)]
pub(crate) fn softplus(a: f32) -> f32 {
    a.max(0.0) + log1p(exp(-a.abs()))
}

/// `(tanh a, 1 − tanh² a)`. 5e-7.
#[inline(always)]
pub(crate) fn tanh(a: f32) -> (f32, f32) {
    let (e, m) = exponential(-2.0 * a.abs());
    let share = 1.0 / (2.0 + m);
    ((-m * share).copysign(a), 4.0 * e * (share * share))
}

/// `1 − erf(x)`: `t exp(−x² + P(t))`, `t = 1/(1 + |x|/2)` (Press et al., *Numerical Recipes*, 6.2). 6e-7 absolute.
#[inline(always)]
pub(crate) fn erfc(x: f32) -> f32 {
    let z = x.abs();
    let t = 1.0 / (1.0 + 0.5 * z);
    let p = ((((((((0.170_872_77 * t - 0.822_152_23) * t + 1.488_515_9) * t - 1.135_204) * t
        + 0.278_868_07)
        * t
        - 0.186_288_06)
        * t
        + 0.096_784_18)
        * t
        + 0.374_091_96)
        * t
        + 1.000_023_7)
        * t
        - 1.265_512_2;
    let tail = t * exp(p - z * z);
    if x < 0.0 { 2.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    // As an integration test names it: only tests may use the reference here.
    use hesscale::reference::special;

    /// The largest error of `f` over ±`bound`, relative to `scale` of the true value.
    fn worst(bound: f64, f: impl Fn(f32) -> f32, truth: impl Fn(f64) -> f64, absolute: bool) -> f64 {
        let points = (0..200_001).map(|i| (f64::from(i) / 100_000.0 - 1.0).powi(3) * bound);
        let error = |x: f64| {
            let x = x as f32;
            let want = truth(f64::from(x));
            let scale = if absolute { 1.0 } else { want.abs().max(f64::from(f32::MIN_POSITIVE)) };
            (f64::from(f(x)) - want).abs() / scale
        };
        points.map(error).fold(0.0, f64::max)
    }

    fn logistic(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn errors_are_as_stated() {
        let d_tanh = |x: f64| 4.0 * (-2.0 * x.abs()).exp() / (1.0 + (-2.0 * x.abs()).exp()).powi(2);
        for (name, error, bound) in [
            ("exp", worst(88.7, |x| exp(x.max(-87.3)), |x| x.max(f64::from(-87.3_f32)).exp(), false), 2e-7),
            ("exp, not beyond 87", worst(87.0, |x| exponential(x).0, f64::exp, false), 2e-7),
            ("exp_m1", worst(87.0, |x| exponential(x).1, f64::exp_m1, false), 3e-7),
            ("log1p", worst(1.0, |x| log1p(x.abs()), |x| x.abs().ln_1p(), false), 3e-7),
            ("sigmoid", worst(87.0, |x| sigmoid(x).0, logistic, false), 4e-7),
            ("sigmoid of −a", worst(87.0, |x| sigmoid(x).1, |x| logistic(-x), false), 4e-7),
            ("softplus", worst(87.0, softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), false), 4e-7),
            ("tanh", worst(40.0, |x| tanh(x).0, f64::tanh, false), 5e-7),
            ("tanh'", worst(40.0, |x| tanh(x).1, d_tanh, false), 5e-7),
            ("erfc", worst(10.0, erfc, special::erfc, true), 6e-7),
        ] {
            println!("{name}: {error:e}");
            assert!(error <= bound, "{name}: {error:e} > {bound:e}");
        }
    }

    #[test]
    fn nothing_overflows() {
        for a in [-1e30, -100.0, 100.0, 1e30_f32] {
            let all = [exp(a), sigmoid(a).0, sigmoid(a).1, softplus(a), tanh(a).0, tanh(a).1, erfc(a)];
            assert!(all.iter().all(|x| x.is_finite()), "{a}: {all:?}");
        }
        assert_eq!((tanh(100.0).0, tanh(-100.0).0, exponential(-100.0).1), (1.0, -1.0, -1.0));
        assert_eq!((exp(-88.0), exp(f32::NEG_INFINITY), sigmoid(-1e38).0), (0.0, 0.0, 0.0));
        assert!(
            [exp(f32::NAN), sigmoid(f32::NAN).0, softplus(f32::NAN), tanh(f32::NAN).0]
                .iter()
                .all(|x| x.is_nan())
        );
    }
}
