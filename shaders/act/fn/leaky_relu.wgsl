// f = a above 0, ALPHA a at 0 and below,  f' = 1 or ALPHA,  f'' = 0
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, select(ALPHA * a, a, a > 0.0));
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(select(ALPHA, 1.0, a > 0.0), 0.0);
}
