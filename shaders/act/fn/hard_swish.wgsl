// f = a s,  s = min(max(a + 3, 0), 6) / 6,  f' = s + a s',  f'' = 2 s',  s' = 1 / 6 between -3 and 3, else 0
fn act_ramp(a: f32) -> f32 {
    return clamp(a + 3.0, 0.0, 6.0) * 0.166666667;
}

fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, a * act_ramp(a));
}

fn act_d(a: f32) -> vec2<f32> {
    let slope = select(0.0, 0.166666667, abs(a) < 3.0);
    return vec2(fma(clamp(a, -3.0, 3.0), slope, act_ramp(a)), 2.0 * slope);
}
