// out[i .. i + 4], the product's result, by scalar accesses.
@group(0) @binding(3) var<storage, read_write> out: array<N3>;

// Writes the first `valid` of four, without a branch: from last to first, so that surplus values go to the last valid place and are
// overwritten.
fn write_out(index: u32, value: vec4<f32>, valid: u32) {
    let four = vec4<N3>(storable(value));
    out[index + min(3u, valid - 1u)] = four.w;
    out[index + min(2u, valid - 1u)] = four.z;
    out[index + min(1u, valid - 1u)] = four.y;
    out[index] = four.x;
}

// Elements past the end repeat the last one and are not written back.
fn read_out(index: u32) -> vec4<f32> {
    let last = arrayLength(&out) - 1u;
    return vec4<f32>(
        f32(out[min(index, last)]),
        f32(out[min(index + 1u, last)]),
        f32(out[min(index + 2u, last)]),
        f32(out[min(index + 3u, last)]),
    );
}
