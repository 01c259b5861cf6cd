// f = min(max(a, 0), 6),  f' = 1 between 0 and 6, else 0,  f'' = 0
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, clamp(a, 0.0, 6.0));
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(select(0.0, 1.0, a > 0.0 && a < 6.0), 0.0);
}
