// Terms are added.
fn joined(a: f32, b: f32) -> f32 {
    return a + b;
}

fn row_joined(x: f32, lane: vec3<u32>) -> f32 {
    return row_sum(vec4<f32>(x), lane).x;
}
