// (f, f', f'') of f = sin(w a) for even k, cos(w a) for odd k; w = 2^j π, j = ⌊k/2⌋. Whole turns are taken off 2^j a, which is
// exact, before π comes in, so that high octaves lose nothing. NaN where 2^j a is no finite number.
fn encoded(a: f32, k: u32) -> vec3<f32> {
    let scale = bitcast<f32>((127u + k / 2u) << 23u);
    let t = scale * a;
    let s = hs_sin_cos(3.14159265 * (t - 2.0 * round(0.5 * t)));
    let w = 3.14159265 * scale;
    let spoilt = !hs_is_finite(t);
    let f = hs_nan_where(spoilt, select(s.x, s.y, k % 2u == 1u));
    let slope = hs_nan_where(spoilt, select(s.y, -s.x, k % 2u == 1u));
    return vec3<f32>(f, w * slope, -(w * w) * f);
}
