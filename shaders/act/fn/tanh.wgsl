// f = tanh a,  f' = 1 - f^2 = 4 e^-2|a| / (1 + e^-2|a|)^2,  f'' = -2 f f'
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, hs_tanh(a));
}

fn act_d(a: f32) -> vec2<f32> {
    let e = hs_exp_sum(-2.0 * abs(a), 0.0);
    let d = 1.0 / (1.0 + e.x);
    let first = 4.0 * e.x * d * d;
    let t = e.y * d; // -tanh |a|
    return vec2(first, 2.0 * first * select(t, -t, a < 0.0));
}
