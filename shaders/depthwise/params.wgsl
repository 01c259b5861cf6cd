// Sizes of a depthwise convolution and its mapping to invocations: each takes COLUMNS neighbouring elements of a row and loads
// each weight once for them. Pairs are (row, column).

const STRIDE = vec2<u32>(STRIDE_ROWS, STRIDE_COLUMNS);

struct DepthwiseParams {
    image: vec2<u32>,
    kernel: vec2<u32>,
    dilation: vec2<u32>,
    before: vec2<u32>, // padding above and left
    positions: vec2<u32>,
    n: u32, // invocations
    grid_x: u32,
    channels: u32,
    vectors: u32, // vec4s of one position
    plane_in: u32,
    plane_out: u32,
}

// The first of an invocation's elements in an image of the given size.
struct Share {
    sample: u32,
    place: vec2<u32>,
    vector: u32,
}

fn share(i: u32, size: vec2<u32>) -> Share {
    let block = divide(i, p.vectors);
    let row = divide(block.x, (size.y + COLUMNS - 1u) / COLUMNS);
    let sample = divide(row.x, size.x);
    return Share(sample.x, vec2<u32>(sample.y, row.y * COLUMNS), block.y);
}

@group(0) @binding(0) var<uniform> p: DepthwiseParams;
