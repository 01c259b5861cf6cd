// diagonal[i .. i + 4] by vec4 accesses.
@group(0) @binding(4) var<storage, read_write> diagonal: array<vec4<f32>>;

fn write_diagonal(index: u32, value: vec4<f32>, valid: u32) {
    diagonal[index / 4u] = value;
}

fn read_diagonal(index: u32) -> vec4<f32> {
    return diagonal[index / 4u];
}
