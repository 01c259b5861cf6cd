// Sizes of the image that a kernel makes and of the one it makes it of. Pairs are (row, column).

struct ResampleParams {
    to: vec2<u32>,
    from_size: vec2<u32>,
    n: u32, // vec4s of the result
    grid_x: u32,
    vectors: u32, // vec4s of one position
    plane_in: u32,
    plane_out: u32,
    unused_1: u32,
    unused_2: u32,
    unused_3: u32,
}

@group(0) @binding(0) var<uniform> p: ResampleParams;

// vec4 i of the result: its place, the index of its sample in the other image, and its vec4 within the position.
struct Element {
    place: vec2<u32>,
    sample: u32,
    vector: u32,
}

fn element(i: u32) -> Element {
    let pixel = divide(i, p.vectors);
    let row = divide(pixel.x, p.to.y);
    let sample = divide(row.x, p.to.x);
    return Element(vec2<u32>(sample.y, row.y), sample.x * p.from_size.x * p.from_size.y * p.vectors, pixel.y);
}

// vec4 of the other image at a place of the same sample.
fn index_at(e: Element, place: vec2<u32>) -> u32 {
    return e.sample + (place.x * p.from_size.y + place.y) * p.vectors + e.vector;
}
