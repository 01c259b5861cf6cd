// Sizes of the image that a kernel makes and of the one it takes, of which one is `factor` times as large and the other has
// factor² times the channels. Pairs are (row, column).

struct ShuffleParams {
    to: vec2<u32>,
    taken: vec2<u32>,
    n: u32, // numbers of the result, those that pad its channels included
    grid_x: u32,
    channels: u32, // of the result
    stride_to: u32, // numbers of one position, of the result
    stride_taken: u32, // and of the other
    factor: u32,
    plane_in: u32,
    plane_out: u32,
}

@group(0) @binding(0) var<uniform> p: ShuffleParams;

// Number i of the result: its sample, place and channel.
struct Element {
    sample: u32,
    place: vec2<u32>,
    channel: u32,
}

fn element(i: u32) -> Element {
    let pixel = divide(i, p.stride_to);
    let row = divide(pixel.x, p.to.y);
    let sample = divide(row.x, p.to.x);
    return Element(sample.x, vec2<u32>(sample.y, row.y), pixel.y);
}

// The index of a number of the other image.
fn index_at(sample: u32, place: vec2<u32>, channel: u32) -> u32 {
    return ((sample * p.taken.x + place.x) * p.taken.y + place.y) * p.stride_taken + channel;
}
