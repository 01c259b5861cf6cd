// Sizes of layer, RMS and group normalisation. A sample is [positions, channels]; a group has `width` neighbouring channels at
// every position. Rows have one position.

struct NormParams {
    n: u32, // groups of the batch
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
    positions: u32,
    stride: u32, // elements of a position
    width: u32,
    groups: u32, // of a sample
    eps: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<uniform> p: NormParams;

// Where a group lies.
struct Place {
    first: u32, // its first element
    channel: u32, // of that element
    columns: u32, // its channels, for a sample's last group those of the padding too
}

fn place_of(k: u32) -> Place {
    let at = divide(k, p.groups);
    let channel = at.y * p.width;
    let last = at.y + 1u == p.groups;
    return Place(at.x * p.positions * p.stride + channel, channel, select(p.width, p.stride - channel, last));
}
