// Plain backprop has no diagonal to write.
fn write_diagonal(index: u32, value: vec4<f32>, valid: u32) {}

fn read_diagonal(index: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
