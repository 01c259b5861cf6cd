// Sizes of what is converted: `vectors` vec4s hold the `channels` of one of `positions`; strides between planes in elements
// of rows and in vec4s of images.

struct LayoutParams {
    n: u32, // vec4s of one image plane
    grid_x: u32,
    channels: u32,
    vectors: u32,
    positions: u32,
    planes: u32,
    plane_rows: u32,
    plane_image: u32,
}

@group(0) @binding(0) var<uniform> p: LayoutParams;

// Where channel 0 of vec4 i lies in a plane of rows, and which channel is its first.
fn place(i: u32) -> vec2<u32> {
    let pixel = divide(i, p.vectors);
    let sample = divide(pixel.x, p.positions);
    let channel = 4u * pixel.y;
    return vec2<u32>((sample.x * p.channels + channel) * p.positions + sample.y, channel);
}
