// f = log s(a) = min(a, 0) - log(1 + e^-|a|),  f' = s(-a),  f'' = -s(a) s(-a),  s = sigmoid
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, -hs_softplus(-a));
}

fn act_d(a: f32) -> vec2<f32> {
    let s = hs_sigmoid_pair(a);
    return vec2(s.y, -s.x * s.y);
}
