// f(x) = 2^n g(r) or f(x) = ±g(r), x = n c + r:  exp, expm1, log, log1p, tanh, sigmoid, softplus, sin, cos, erf
//
// WGSL allows built-in functions to be off by thousands of ulp, and some drivers are. These are accurate to a few
// ulp everywhere. Because drivers differ, they do not rely on:
// - NaN and infinity: arguments are clamped so that intermediates stay finite.
// - Subnormal numbers: results and arguments below 2^-126 may count as 0.
// - Fusing a product and a sum into an fma: the first products of a range reduction are exact either way.
// - The order of sums: a `min` that never takes effect keeps a fast-math compiler from merging the reduction's parts.
// "Error" below is the largest measured against f64 over four million points on llvmpipe and SwiftShader, in units in
// the last place (ulp) of the exact result; a fast-math compiler, with or without fma, stays below twice that.

// NaN and infinity are detected by their bits, because compilers may evaluate comparisons with them either way. The functions below
// may return a finite value for NaN; a caller whose argument may be NaN must restore it with hs_with_nan_of.
fn hs_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn hs_is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// y, or NaN if `spoilt`. NaN is made from y's bits, because a NaN constant is an error.
fn hs_nan_where(spoilt: bool, y: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(y) | select(0u, 0x7fc00000u, spoilt));
}

// y, but NaN where x is NaN.
fn hs_with_nan_of(x: f32, y: f32) -> f32 {
    return hs_nan_where(hs_is_nan(x), y);
}

// p 2^n through the exponent bits; p and the result must be normal numbers.
fn hs_scale(p: f32, n: f32) -> f32 {
    return bitcast<f32>(bitcast<i32>(p) + (i32(n) << 23u));
}

// (e^(x + lo), e^(x + lo) - 1) for a correction lo that is small beside 1. Saturates above 88.72, flushes below -87.33.
// The two share one reduction: take both where both are needed.
fn hs_exp_sum(x: f32, lo: f32) -> vec2<f32> {
    let y = clamp(x, -87.33, 88.72);
    let n = round(y * 1.44269504);
    let r = min(y - n * 0.693145751953125, 1.0) - n * 1.42860677e-6 + lo;
    var p = fma(r, 0.00138706574, 0.00836626161);
    p = fma(r, p, 0.0416674353);
    p = fma(r, p, 0.166665465);
    p = fma(r, p, 0.49999997);
    let q = min(fma(r * r, p, r), 1.0); // so that 1 + q is the same number whether or not q itself is wanted
    let e = select(0.0, hs_scale(1.0 + q, n), x > -87.33);
    return vec2(e, select(e - 1.0, q, n == 0.0));
}

// Error 1.8 ulp.
fn hs_exp(x: f32) -> f32 {
    return hs_exp_sum(x, 0.0).x;
}

// Error 3.4 ulp.
fn hs_expm1(x: f32) -> f32 {
    return hs_exp_sum(x, 0.0).y;
}

// n with x = 2^n m and m in [sqrt(1/2), sqrt(2)).
fn hs_log_exponent(x: f32) -> i32 {
    return (bitcast<i32>(x) - 0x3f3504f3) >> 23u;
}

fn hs_log_mantissa(x: f32, n: i32) -> f32 {
    return bitcast<f32>(bitcast<i32>(x) - (n << 23u));
}

// log(2^n (1 + f))
fn hs_log_sum(n: f32, f: f32) -> f32 {
    var p = fma(f, -0.0763643906, 0.127622172);
    p = fma(f, p, -0.131596103);
    p = fma(f, p, 0.1420158);
    p = fma(f, p, -0.166234091);
    p = fma(f, p, 0.200012416);
    p = fma(f, p, -0.250008196);
    p = fma(f, p, 0.333333313);
    let ff = f * f;
    let log1p = fma(ff * f, p, fma(-0.5, ff, f));
    return fma(n, 0.693145751953125, fma(n, 1.42860677e-6, log1p));
}

// Arguments below the smallest normal number, including zero and negative ones, count as that number. Error 1.2 ulp.
fn hs_log(x: f32) -> f32 {
    let y = max(x, 1.17549435e-38);
    let n = hs_log_exponent(y);
    return hs_log_sum(f32(n), hs_log_mantissa(y, n) - 1.0);
}

// As hs_log at 1 + x. Error 2.6 ulp.
fn hs_log1p(x: f32) -> f32 {
    let y = max(1.0 + x, 1.17549435e-38);
    let n = hs_log_exponent(y);
    // Near 0, rounding 1 + x would lose x, so x itself is used.
    return hs_log_sum(f32(n), select(hs_log_mantissa(y, n) - 1.0, x, n == 0));
}

// Error 2.6 ulp.
fn hs_tanh(x: f32) -> f32 {
    let m = hs_expm1(-2.0 * abs(x));
    let t = m / (2.0 + m);
    return select(-t, t, x < 0.0);
}

// (sigmoid(x), sigmoid(-x)), both with small relative error. Error 3.1 ulp.
fn hs_sigmoid_pair(x: f32) -> vec2<f32> {
    let e = hs_exp(-abs(x));
    let big = 1.0 / (1.0 + e);
    let small = e * big;
    return select(vec2(big, small), vec2(small, big), x < 0.0);
}

fn hs_sigmoid(x: f32) -> f32 {
    return hs_sigmoid_pair(x).x;
}

// Error 3.4 ulp.
fn hs_softplus(x: f32) -> f32 {
    return max(x, 0.0) + hs_log1p(hs_exp(-abs(x)));
}

// (sin x, cos x). Error 1.8 ulp, but 5e-15 |x| near a zero. Beyond 12,000 the reduction loses digits, never more than
// the spacing of x; beyond a million x counts as a million.
fn hs_sin_cos(x: f32) -> vec2<f32> {
    let y = clamp(x, -1e6, 1e6);
    let n = round(y * 0.636619772);
    let r = min(min(y - n * 1.5703125, 512.0) - n * 0.0004837512969970703125, 2.0) - n * 7.54979013e-8;
    let z = r * r;
    let s = fma(r * z, fma(z, fma(z, -0.000195180997, 0.00833218824), -0.166666552), r);
    let c = fma(z * z, fma(z, fma(z, 2.44306684e-5, -0.00138873013), 0.0416666456), fma(-0.5, z, 1.0));
    let quadrant = i32(n);
    let turned = select(vec2(s, c), vec2(c, s), (quadrant & 1) == 1);
    // One condition per component: some HLSL dialects have no vector conditions.
    return vec2(
        select(turned.x, -turned.x, (quadrant & 2) == 2),
        select(turned.y, -turned.y, ((quadrant + 1) & 2) == 2),
    );
}

fn hs_sin(x: f32) -> f32 {
    return hs_sin_cos(x).x;
}

fn hs_cos(x: f32) -> f32 {
    return hs_sin_cos(x).y;
}

// (density of the normal distribution at x, its tail P(X > |x|)), both with small relative error. Errors 2.7 and 6.1 ulp.
fn hs_normal(x: f32) -> vec2<f32> {
    let y = min(abs(x), 14.0);
    // y^2 = h^2 + (y - h)(y + h) with h^2 exact: its rounding would cost y^2 ulp.
    let h = bitcast<f32>(bitcast<u32>(y) & 0xfffff000u);
    let density = 0.398942280 * hs_exp_sum(-0.5 * h * h, -0.5 * (y - h) * (y + h)).x;
    // (y + 2.5) tail / density is smooth, and a polynomial in t.
    let d = 1.0 / (y + 2.5);
    let t = (y - 2.5) * d;
    var p = fma(t, -0.000394602306, -0.000771145918);
    p = fma(t, p, 0.00172697438);
    p = fma(t, p, 0.00631908793);
    p = fma(t, p, -0.00402351748);
    p = fma(t, p, -0.041072201);
    p = fma(t, p, 0.0231540073);
    p = fma(t, p, 0.330842018);
    p = fma(t, p, -1.08710492);
    p = fma(t, p, 1.77132559);
    return vec2(density, density * (d * p));
}

// Error 2 ulp.
fn hs_erf(x: f32) -> f32 {
    let y = min(abs(x), 10.0);
    let z = y * y;
    var p = fma(z, -0.000605344598, 0.00500434591);
    p = fma(z, p, -0.0267733987);
    p = fma(z, p, 0.112819783);
    p = fma(z, p, -0.376125067);
    p = fma(z, p, 0.128379151);
    let t = select(1.0 - 2.0 * hs_normal(1.41421356 * y).y, fma(y, p, y), y < 0.9);
    return select(t, -t, x < 0.0);
}
