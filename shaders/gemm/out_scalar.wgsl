// What the product writes, element by element.
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// The first `valid` of the four. Without a branch: from the last to the first, and what is too much goes where the last
// valid one is about to go.
fn write_out(index: u32, value: vec4<f32>, valid: u32) {
    out[index + min(3u, valid - 1u)] = value.w;
    out[index + min(2u, valid - 1u)] = value.z;
    out[index + min(1u, valid - 1u)] = value.y;
    out[index] = value.x;
}

// What lies past the end repeats the last element, and is not written back.
fn read_out(index: u32) -> vec4<f32> {
    let last = arrayLength(&out) - 1u;
    return vec4<f32>(
        out[min(index, last)],
        out[min(index + 1u, last)],
        out[min(index + 2u, last)],
        out[min(index + 3u, last)],
    );
}
