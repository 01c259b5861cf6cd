// f = sin w,  w = FREQUENCY a,  f' = FREQUENCY cos w,  f'' = -FREQUENCY^2 sin w; all NaN where a is infinite or NaN
fn act(a: f32) -> f32 {
    return hs_nan_where(!hs_is_finite(a), hs_sin(FREQUENCY * a));
}

fn act_d(a: f32) -> vec2<f32> {
    let s = hs_sin_cos(FREQUENCY * a);
    let spoilt = !hs_is_finite(a);
    return vec2(hs_nan_where(spoilt, FREQUENCY * s.y), hs_nan_where(spoilt, -(FREQUENCY * FREQUENCY) * s.x));
}
