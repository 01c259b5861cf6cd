// Sizes of a depthwise convolution. Pairs are (row, column).

const STRIDE = vec2<u32>(STRIDE_ROWS, STRIDE_COLUMNS);

struct DepthwiseParams {
    image: vec2<u32>,
    kernel: vec2<u32>,
    dilation: vec2<u32>,
    before: vec2<u32>, // padding above and left
    positions: vec2<u32>,
    n: u32, // vec4s of the result
    grid_x: u32,
    channels: u32,
    vectors: u32, // vec4s of one position
    plane_in: u32,
    plane_out: u32,
}

@group(0) @binding(0) var<uniform> p: DepthwiseParams;
