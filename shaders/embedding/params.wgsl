// Sizes of a table whose rows positions select: those of row_sums/params, and nothing more.

struct EmbeddingParams {
    n: u32, // invocations
    grid_x: u32,
    rows: u32, // of the table
    width: u32, // numbers of a row
    values: u32, // of a row as the signal has them
    entries: u32, // selections of the batch
    each: u32, // of a sample
    run: u32, // length of sorted runs
    plane_in: u32,
    scale: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: EmbeddingParams;
