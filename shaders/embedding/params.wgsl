// Sizes of an embedding. Positions of the batch are counted through all samples; a part is of whole samples.

struct EmbeddingParams {
    n: u32, // invocations
    grid_x: u32,
    rows: u32, // of the table
    width: u32, // numbers of a row
    vectors: u32, // vec4s of a row
    positions: u32, // of a sample
    all: u32, // positions of the batch
    part: u32, // positions of a part
    run: u32, // of sorted pairs
    first: u32, // position of the part that is summed
    end: u32, // behind its last one
    plane_in: u32,
    scale: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<uniform> p: EmbeddingParams;
