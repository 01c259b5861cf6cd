// Sizes of an image and of the zero-padded image. Pairs are (row, column).

struct PadParams {
    image: vec2<u32>,
    padded: vec2<u32>,
    before: vec2<u32>, // zeros above and left
    n: u32, // vec4s of the result
    grid_x: u32,
    vectors: u32, // vec4s of one position
    plane_in: u32,
    plane_out: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> p: PadParams;
