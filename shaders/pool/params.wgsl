// Of a pooling layer. Its sizes are constants, for each invocation divides by them: pairs (row, column) IMAGE, KERNEL, STRIDE,
// BEFORE (the padding above and left) and POSITIONS, and VECTORS, the vec4s of one position.

struct PoolParams {
    n: u32, // vec4s of the result
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
}

@group(0) @binding(0) var<uniform> p: PoolParams;

// Element i of an image of the given size: its place, the first element of its sample in an image of another size, and
// which of a position's vec4s it is.
struct Element {
    place: vec2<u32>,
    sample: u32,
    vector: u32,
}

fn element(i: u32, size: vec2<u32>, other: vec2<u32>) -> Element {
    let pixel = divide(i, VECTORS);
    let row = divide(pixel.x, size.y);
    let sample = divide(row.x, size.x);
    return Element(vec2<u32>(sample.y, row.y), sample.x * other.x * other.y * VECTORS, pixel.y);
}
