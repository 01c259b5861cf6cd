// f = max(a, 0),  f' = 1 above 0, 0 at 0 and below,  f'' = 0
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, max(a, 0.0));
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(select(0.0, 1.0, a > 0.0), 0.0);
}
