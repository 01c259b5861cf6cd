// Sizes of a hash grid: those of row_sums, a row being an entry of a level's table, and its own.

struct HashGridParams {
    n: u32, // invocations
    grid_x: u32,
    rows: u32, // of all levels
    width: u32, // numbers of a row
    values: u32, // the same
    entries: u32, // corners of all cells of the batch
    each: u32, // of a sample
    run: u32, // length of sorted runs
    plane_in: u32,
    scale: f32,
    plane_out: u32,
    levels: u32,
    table: u32, // entries of a level, a power of two
    dense: u32, // levels that have an entry for each corner
    unused0: u32,
    unused1: u32,
    cells: array<vec4<u32>, 8>, // along an axis, level by level
}

@group(0) @binding(0) var<uniform> p: HashGridParams;
