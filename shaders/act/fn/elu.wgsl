// f = a above 0, ALPHA (e^a - 1) at 0 and below,  f' = 1 or ALPHA e^a,  f'' = 0 at 0 and above, or ALPHA e^a
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, select(ALPHA * hs_expm1(a), a, a > 0.0));
}

fn act_d(a: f32) -> vec2<f32> {
    let e = ALPHA * hs_exp(a);
    return vec2(select(e, 1.0, a > 0.0), select(0.0, e, a < 0.0));
}
