// Sizes of an encoding: of each number become `numbers`, as channels side by side.

struct EncodeParams {
    n: u32, // invocations
    grid_x: u32,
    numbers: u32, // that each becomes
    positions: u32, // of a channel
    plane_in: u32,
    plane_out: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: EncodeParams;
