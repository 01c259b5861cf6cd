// The diagonal, element by element: the first `valid` of the four.
@group(0) @binding(4) var<storage, read_write> diagonal: array<f32>;

fn write_diagonal(index: u32, value: vec4<f32>, valid: u32) {
    for (var c = 0u; c < min(valid, 4u); c++) {
        diagonal[index + c] = value[c];
    }
}

// What lies past the end repeats the last element, and is not written back.
fn read_diagonal(index: u32) -> vec4<f32> {
    let last = arrayLength(&diagonal) - 1u;
    return vec4<f32>(
        diagonal[min(index, last)],
        diagonal[min(index + 1u, last)],
        diagonal[min(index + 2u, last)],
        diagonal[min(index + 3u, last)],
    );
}
