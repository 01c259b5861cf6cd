// Sizes of an elementwise affine map: `vectors` values hold the `channels` of each of `positions` positions. Dropout's parameters.

struct AffineParams {
    n: u32, // values
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
    channels: u32,
    vectors: u32,
    positions: u32,
    node: u32,
    threshold: u32,
    scale: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: AffineParams;
