// Sizes of the way back through a recurrent layer's step: as in recurrent/forward_params, and distances between the planes of signals.

struct SignalParams {
    n: u32, // samples times columns
    grid_x: u32,
    plane_in: u32, // of the signal above
    plane_out: u32, // of the one below
    hidden: u32, // units
    columns: u32, // units, and padding of the input
    positions: u32,
    t: u32, // the position of this step
    stride_a: u32, // of a position of the input, and of the signal at q of all positions, padding included
    stride_z: u32, // of the output
    plane_row: u32, // of the signal at q of this position
    own: u32, // where the signal at the units' own state begins, behind the rows
    plane_state: u32, // of that one, and of the one that has come through the product
    plane_image: u32, // of the signal at q of all positions
    carries: u32, // whether there is a position behind this one
    unused0: u32,
}

@group(0) @binding(0) var<uniform> p: SignalParams;
