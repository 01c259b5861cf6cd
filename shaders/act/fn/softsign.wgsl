// f = a r,  f' = r^2,  f'' = -2 sign(a) r^3,  r = 1 / (1 + |a|);  f is NaN where a is infinite
fn act(a: f32) -> f32 {
    return hs_nan_where(!hs_is_finite(a), a / (1.0 + abs(a)));
}

fn act_d(a: f32) -> vec2<f32> {
    let r = 1.0 / (1.0 + abs(a));
    return vec2(r * r, -2.0 * sign(a) * r * r * r);
}
