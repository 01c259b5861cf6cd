// f = a,  f' = 1,  f'' = 0
fn act(a: f32) -> f32 {
    return a;
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(1.0, 0.0);
}
