// Parameters of every loss.

struct LossParams {
    rows: u32, // samples times positions
    outputs: u32,
    grid_x: u32,
    plane_stride: u32,
    factor: f32, // the reduction's
    smoothing: f32,
    ignore: u32,
    has_ignore: u32,
    positions: u32,
    spread: f32, // of u in mode Fisher
}
