// f = L a above 0, L A (e^a - 1) at 0 and below,  f' = L or L A e^a,  f'' = 0 at 0 and above, or L A e^a,
// L = 1.05070099, L A = 1.75809934: the values that preserve mean 0 and variance 1
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, select(1.75809934 * hs_expm1(a), 1.05070099 * a, a > 0.0));
}

fn act_d(a: f32) -> vec2<f32> {
    let e = 1.75809934 * hs_exp(a);
    return vec2(select(e, 1.05070099, a > 0.0), select(0.0, e, a < 0.0));
}
