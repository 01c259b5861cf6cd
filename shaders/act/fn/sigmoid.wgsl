// f = s(a) = 1 / (1 + e^-a),  f' = s(a) s(-a),  f'' = s(a) s(-a) (s(-a) - s(a))
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, hs_sigmoid(a));
}

fn act_d(a: f32) -> vec2<f32> {
    let e = hs_exp_sum(-abs(a), 0.0);
    let d = 1.0 / (1.0 + e.x);
    let first = e.x * d * d;
    // s(-|a|) - s(|a|) = (e^-|a| - 1) / (e^-|a| + 1) without the cancellation near 0
    let t = e.y * d;
    return vec2(first, first * select(t, -t, a < 0.0));
}
