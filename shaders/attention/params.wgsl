// Sizes of attention. The input is [sample, position, 3 × heads × width], queries, keys and values; the output is
// [sample, position, heads × width]; p and scores are [sample, head, query, key]. Sizes of channels are in Values.

struct AttentionParams {
    n: u32, // rows of p, or Values that are written
    grid_x: u32,
    plane_in: u32,
    plane_out: u32,
    positions: u32,
    heads: u32,
    width: u32, // of a head
    stride_in: u32, // of a position of the input, padding included
    stride_out: u32, // of the output
    plane: u32, // numbers from one component of the scores to the next
    scale: f32, // a = 1/√w, w the numbers of a head
    unused0: u32,
}

@group(0) @binding(0) var<uniform> p: AttentionParams;

const Q: u32 = 0u;
const K: u32 = 1u;
const V: u32 = 2u;

// Numbers that are added up before they are added to a longer sum.
const CHAIN: u32 = 64u;

// A query's place: sample, head, position.
fn query_of(row: u32) -> vec3<u32> {
    let at = divide(row, p.positions);
    let head = divide(at.x, p.heads);
    return vec3<u32>(head, at.y);
}

// How many positions query i sees, from the first on.
fn seen_by(i: u32) -> u32 {
    return select(p.positions, i + 1u, CAUSAL);
}

// The first Value of a head's queries, keys or values at a position of the input.
fn input_at(which: u32, sample: u32, head: u32, position: u32) -> u32 {
    return (sample * p.positions + position) * p.stride_in + (which * p.heads + head) * p.width;
}

// The same in the output.
fn output_at(sample: u32, head: u32, position: u32) -> u32 {
    return (sample * p.positions + position) * p.stride_out + head * p.width;
}

// The first number of a row of p.
fn row_at(sample: u32, head: u32, i: u32) -> u32 {
    return ((sample * p.heads + head) * p.positions + i) * p.positions;
}
