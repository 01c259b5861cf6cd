// (f, f', f'') of f = exp(-d²/2), d = K a - k - ½: a Gaussian around a, a bin wide, at the middle of bin k. Far away it is 0.
fn encoded(a: f32, k: u32) -> vec3<f32> {
    let bins = f32(p.numbers);
    let d = clamp(bins * a - (f32(k) + 0.5), -20.0, 20.0);
    let f = hs_with_nan_of(a, hs_exp(-0.5 * d * d));
    return vec3<f32>(f, -bins * d * f, bins * bins * (d * d - 1.0) * f);
}
