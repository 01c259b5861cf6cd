// f = a^2, at most e^88.72,  f' = 2 a,  f'' = 2
fn act(a: f32) -> f32 {
    let b = clamp(a, -1.8420577e19, 1.8420577e19);
    return select(abs(a), hs_with_nan_of(a, b * b), hs_is_finite(a) || hs_is_nan(a));
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(2.0 * a, 2.0);
}
