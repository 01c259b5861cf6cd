// Sizes of a concatenation z = (x, y), in values at a position: strides include what pads channels, counts do not.

struct ConcatParams {
    n: u32, // values of the result
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
    stride_x: u32,
    stride_y: u32,
    stride_z: u32,
    count_x: u32,
    count_y: u32,
    // Of the one whose signal it is, and where that begins in z.
    stride: u32,
    count: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> p: ConcatParams;
