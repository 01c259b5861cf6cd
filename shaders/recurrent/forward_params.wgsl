// Sizes of a recurrent layer's step. Its input and output are images [sample, position, channels], a gate's channels behind those of the
// gate before; q and the state are [sample, channels], what is kept is [sample, position, kind, unit]. Sizes of channels are in Values.

struct ForwardParams {
    n: u32, // samples times columns
    grid_x: u32,
    hidden: u32, // units
    columns: u32, // of the output, padding included
    positions: u32,
    t: u32, // the position of this step
    stride_a: u32, // of a position of the input, padding included
    stride_z: u32, // of the output
    plane_state: u32, // from h to c
    stride_q: u32, // from a sample's q to the next; 0 where it is the bias
    adds: u32, // whether there is a q
    begun: u32, // whether there is a state before
}

@group(0) @binding(0) var<uniform> p: ForwardParams;
