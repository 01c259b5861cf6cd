// Plain backprop has no diagonal to reduce.
fn gather_diagonal(i: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
