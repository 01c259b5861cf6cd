// f = sin a,  f' = cos a,  f'' = -sin a
fn act(a: f32) -> f32 {
    return hs_sin(a);
}

fn act_d(a: f32) -> vec2<f32> {
    let s = hs_sin_cos(a);
    return vec2(s.y, -s.x);
}
