// Sizes of parameter sums; kernel, stride, dilation and before apply to convolutions only. Pairs are (row, column).

struct PartialParams {
    positions: vec2<u32>,
    image: vec2<u32>,
    kernel: vec2<u32>,
    stride: vec2<u32>,
    dilation: vec2<u32>,
    before: vec2<u32>, // padding above and left
    n: u32, // sums
    grid_x: u32,
    batch: u32,
    samples: u32, // of one split
    entries: u32,
    vectors: u32, // values of one position
    plane_in: u32,
    stride_out: u32, // between entries
    row: u32, // positions from one row to the next in memory
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<uniform> p: PartialParams;
