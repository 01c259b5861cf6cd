// What the product writes, in vec4s.
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

fn write_out(index: u32, value: vec4<f32>, valid: u32) {
    out[index / 4u] = value;
}

fn read_out(index: u32) -> vec4<f32> {
    return out[index / 4u];
}
