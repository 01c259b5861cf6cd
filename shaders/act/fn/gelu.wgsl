// f = a P(a),  f' = P(a) + a p(a),  f'' = (2 - a^2) p(a),  P and p the normal distribution and its density
fn act_below(a: f32, tail: f32) -> f32 {
    return select(1.0 - tail, tail, a < 0.0);
}

fn act(a: f32) -> f32 {
    return a * act_below(a, hs_normal(a).y);
}

fn act_d(a: f32) -> vec2<f32> {
    let x = clamp(a, -20.0, 20.0); // so that x * x stays finite
    let n = hs_normal(x);
    return vec2(fma(x, n.x, act_below(x, n.y)), fma(-x, x, 2.0) * n.x);
}
