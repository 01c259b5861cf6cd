// f = a above 0, ALPHA (e^a - 1) at 0 and below,  f' = 1 or ALPHA e^a,  f'' = 0 or ALPHA e^a
fn act(a: f32) -> f32 {
    return select(ALPHA * hs_expm1(a), a, a > 0.0);
}

fn act_d(a: f32) -> vec2<f32> {
    return select(vec2(ALPHA * hs_exp(a)), vec2(1.0, 0.0), a > 0.0);
}
