// Sizes of batch normalisation by the statistics of the batch: [batch, positions] rows of `vectors` values, the channels.

struct BatchParams {
    n: u32,
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
    vectors: u32, // values of a row
    channels: u32,
    positions: u32,
    batch: u32,
    split: u32, // rows that are summed together
    splits: u32,
    variances: u32, // where they begin among running statistics
    eps: f32,
    momentum: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<uniform> p: BatchParams;

// Rows that count.
fn rows() -> u32 {
    return samples() * p.positions;
}
