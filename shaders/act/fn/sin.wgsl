// f = sin a,  f' = cos a,  f'' = -sin a; all NaN where a is infinite or NaN
fn act(a: f32) -> f32 {
    return hs_nan_where(!hs_is_finite(a), hs_sin(a));
}

fn act_d(a: f32) -> vec2<f32> {
    let s = hs_sin_cos(a);
    let spoilt = !hs_is_finite(a);
    return vec2(hs_nan_where(spoilt, s.y), hs_nan_where(spoilt, -s.x));
}
