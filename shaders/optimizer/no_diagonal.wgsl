// The rule reads no diagonal.
fn diagonal_at(i: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
