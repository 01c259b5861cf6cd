// Sizes of an elementwise kernel.

struct ElementwiseParams {
    n: u32, // values
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
}

@group(0) @binding(0) var<uniform> p: ElementwiseParams;
