// Sizes of a table whose rows the network's inputs select, and of the grid behind it, if it is a hash grid's.

struct SelectionParams {
    n: u32, // invocations
    grid_x: u32,
    rows: u32, // of the table, of a grid those of all levels
    width: u32, // numbers of a row
    values: u32, // of a row as the signal has them
    entries: u32, // selections of the batch: positions, or corners of cells
    each: u32, // of a sample
    run: u32, // length of sorted runs
    plane_in: u32,
    scale: f32,
    plane_out: u32,
    levels: u32,
    table: u32, // rows of a level, a power of two
    dense: u32, // levels that have a row for each corner
    unused0: u32,
    unused1: u32,
    cells: array<vec4<u32>, 8>, // along an axis, level by level
}

@group(0) @binding(0) var<uniform> p: SelectionParams;
