// f = a s(a),  f' = s(a) (1 + a s(-a)),  f'' = s(a) s(-a) (2 + a (s(-a) - s(a))),  s = sigmoid
fn act(a: f32) -> f32 {
    return a * hs_sigmoid(a);
}

fn act_d(a: f32) -> vec2<f32> {
    let x = clamp(a, -200.0, 200.0); // so that x * 0 is 0
    let s = hs_sigmoid_pair(x);
    return vec2(s.x * fma(x, s.y, 1.0), s.x * s.y * fma(x, s.y - s.x, 2.0));
}
