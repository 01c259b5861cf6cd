// Sizes of an elementwise sum.

struct SumParams {
    n: u32,
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
}

@group(0) @binding(0) var<uniform> p: SumParams;
