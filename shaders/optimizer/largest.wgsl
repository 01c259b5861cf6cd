// The largest term counts.
fn joined(a: f32, b: f32) -> f32 {
    return max(a, b);
}

fn row_joined(x: f32, lane: vec3<u32>) -> f32 {
    return row_top(top_with(top_above(0.0), x, lane.x), lane).value.x;
}
