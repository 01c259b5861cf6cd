// Places of a pooling layer. Its sizes are shader constants, because every invocation divides by them: the (row, column) pairs
// IMAGE, KERNEL, STRIDE, BEFORE (the padding above and left) and POSITIONS, and VECTORS, the vec4s of one position.

// Element i of an image of the given size: its place, the index of its sample's first element in an image of size `other`, and its
// vec4 within the position.
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
