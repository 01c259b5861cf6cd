// diagonal[i .. i + 4] by scalar accesses.
@group(0) @binding(4) var<storage, read_write> diagonal: array<f32>;

// Writes the first `valid` of four, without a branch: from last to first, so that surplus values go to the last valid place and are
// overwritten.
fn write_diagonal(index: u32, value: vec4<f32>, valid: u32) {
    diagonal[index + min(3u, valid - 1u)] = value.w;
    diagonal[index + min(2u, valid - 1u)] = value.z;
    diagonal[index + min(1u, valid - 1u)] = value.y;
    diagonal[index] = value.x;
}

// Elements past the end repeat the last one and are not written back.
fn read_diagonal(index: u32) -> vec4<f32> {
    let last = arrayLength(&diagonal) - 1u;
    return vec4<f32>(
        diagonal[min(index, last)],
        diagonal[min(index + 1u, last)],
        diagonal[min(index + 2u, last)],
        diagonal[min(index + 3u, last)],
    );
}
