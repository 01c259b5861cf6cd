// diagonal_at(i) = 0: the rule does not use the diagonal.
fn diagonal_at(i: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
