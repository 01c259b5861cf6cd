// out[i .. i + 4], the product's result, by vec4 accesses.
@group(0) @binding(3) var<storage, read_write> out: array<vec4<N3>>;

fn write_out(index: u32, value: vec4<f32>, valid: u32) {
    out[index / 4u] = vec4<N3>(storable(value));
}

fn read_out(index: u32) -> vec4<f32> {
    return vec4<f32>(out[index / 4u]);
}
