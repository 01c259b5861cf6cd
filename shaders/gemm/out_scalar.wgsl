// What the product writes, element by element: the first `valid` of the four.
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn write_out(index: u32, value: vec4<f32>, valid: u32) {
    for (var c = 0u; c < min(valid, 4u); c++) {
        out[index + c] = value[c];
    }
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
