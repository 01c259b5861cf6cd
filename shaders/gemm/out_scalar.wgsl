// What the product writes, element by element.
@group(0) @binding(3) var<storage, read_write> out: array<N3>;

// The first `valid` of the four. Without a branch: from the last to the first, and what is too much goes where the last
// valid one is about to go.
fn write_out(index: u32, value: vec4<f32>, valid: u32) {
    let four = vec4<N3>(storable(value));
    out[index + min(3u, valid - 1u)] = four.w;
    out[index + min(2u, valid - 1u)] = four.z;
    out[index + min(1u, valid - 1u)] = four.y;
    out[index] = four.x;
}

// What lies past the end repeats the last element, and is not written back.
fn read_out(index: u32) -> vec4<f32> {
    let last = arrayLength(&out) - 1u;
    return vec4<f32>(
        f32(out[min(index, last)]),
        f32(out[min(index + 1u, last)]),
        f32(out[min(index + 2u, last)]),
        f32(out[min(index + 3u, last)]),
    );
}
