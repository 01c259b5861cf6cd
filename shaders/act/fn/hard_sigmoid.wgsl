// f = min(max(a + 3, 0), 6) / 6,  f' = 1 / 6 between -3 and 3, else 0,  f'' = 0
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, clamp(a + 3.0, 0.0, 6.0) * 0.166666667);
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(select(0.0, 0.166666667, abs(a) < 3.0), 0.0);
}
