// Sizes of a layout conversion: `vectors` vec4s hold the `channels` of each of `positions` positions. Strides between planes are in
// elements for rows and in vec4s for images.

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

// For vec4 i of an image: the index of its first channel in a plane of rows, and the number of that channel.
fn place(i: u32) -> vec2<u32> {
    let pixel = divide(i, p.vectors);
    let sample = divide(pixel.x, p.positions);
    let channel = 4u * pixel.y;
    return vec2<u32>((sample.x * p.channels + channel) * p.positions + sample.y, channel);
}
