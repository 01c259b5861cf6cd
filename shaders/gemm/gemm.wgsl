// The matrix product behind every pass:
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])
//
// A has P components per element (g | g, h | g, h, u …), B has one. `through` is the rule for a linear map: component 1 (h)
// is multiplied by B², every other by B. With P = 1 this is plain backprop, or an ordinary product.
//
// Tile: an invocation finishes TM rows and V vec4 columns; a workgroup has WY × WX invocations, times SLICES where k is shared out.
// The columns of an invocation are WX vec4s apart, so that neighbours read neighbouring memory. The sum runs over segments (one for
// a dense layer; a kernel's taps or a batch's samples for a convolution) and over k within each. Its order depends on the slices of
// k (SLICES; WY of sliced), which are the same in every mode, but on nothing else of the tile (except in cooperative, whose f16
// rounding depends on it); so the gradient has the same bits in every mode.
//
// Plugs: sum_up, the family (registers | workgroup | sliced | cooperative), with corner_of, where what an invocation finishes
// begins (finish_own | sliced); span_of, arrive, enter, passes, locate, next_k and row_at (walk_dense | walk_taps | walk_samples);
// a_four, four elements of A along k or along m (a_k | a_m | a_image) over a4 (a_vec4 | a_scalar); b_four, the same of B (b_k | b_n
// | b_image) over b4 (b_vec4 | b_scalar | b_updated); prepare, keep, finish and side (forward | signal | parameters | partial) over
// write_out (out_vec4 | out_scalar), hold and held (hold_out | hold_aside). Grid: g.splits times g.tiles workgroups, then those of
// `side`, folded into rows of g.grid_x.

struct Gemm {
    m: u32,
    n: u32,
    k: u32, // of one segment
    tiles_n: u32, // tiles along n
    tiles: u32, // tiles in all
    splits: u32, // parts that the sum is split into, each with its own result
    grid_x: u32,
    a_plane: u32, // distance between the planes of A, in elements
    c_plane: u32, // the same for the result: signal, kept activation input, partial sums; or between an update's moments
    bias: u32, // start of the bias, relative to the weight
    scale: f32, // factor for the stored gradient and diagonal
    first: u32, // start of the layer's weights in the parameters, in vec4s, where updates are fused
    image: Image, // of a convolution
}

// Images are [batch, height, width, channels], channels a multiple of four.
struct Image {
    rows: vec2<u32>, // size of the image whose positions the walk visits
    source: vec2<u32>, // size of the image that the windows read
    samples: u32,
    per_split: u32, // samples of one part of the sum
    parts: u32, // parts of one sample, if samples are split
    part: u32, // positions of such a part
    groups: u32,
    group_m: u32, // rows, columns and terms of one group
    group_n: u32,
    group_k: u32,
}

@group(0) @binding(0) var<uniform> g: Gemm;

// A workgroup's part of the sum: a range of segments, and of k within each. It is uniform, so barriers may depend on it.
struct Span {
    split: u32,
    first: u32,
    last: u32,
    begin: u32,
    end: u32,
}

alias Rows = array<f32, TM>;
alias Columns = array<vec4<f32>, V>;
alias Tile = array<array<Columns, TM>, P>;
alias Sums = array<vec4<f32>, KEPT>;

// The component that B² multiplies, if there is one.
const D: u32 = min(1u, P - 1u);

// A LONG sum is made in runs of RUN times four terms, to limit its rounding error. A run is closed before the first term of another,
// so that tiles that skip terms close it in the same place.
fn run_of(segment: u32, k: u32) -> u32 {
    return (segment * (g.k / 4u) + k / 4u) / RUN;
}

fn close_run(acc: ptr<function, Tile>, total: ptr<function, Tile>) {
    for (var p = 0u; p < P; p++) {
        for (var i = 0u; i < TM; i++) {
            for (var j = 0u; j < V; j++) {
                (*total)[p][i][j] += (*acc)[p][i][j];
                (*acc)[p][i][j] = vec4<f32>(0.0);
            }
        }
    }
}

// The end of a sample whose positions share the parameters: u has been summed over the positions and is now squared.
fn close_sample(acc: ptr<function, Tile>) {
    for (var p = 2u; p < P; p++) {
        for (var i = 0u; i < TM; i++) {
            for (var j = 0u; j < V; j++) {
                let u = (*acc)[p][i][j];
                (*acc)[D][i][j] += u * u;
                (*acc)[p][i][j] = vec4<f32>(0.0);
            }
        }
    }
}

// Stores the sums and runs the fused epilogue.
fn leave(place: ptr<function, Place>, acc: ptr<function, Tile>, split: u32, m0: u32, n0: u32) {
    if m0 >= g.m {
        return;
    }
    // Branches are expensive in this unrolled loop, so rows past the end are stored at the last row, which is then overwritten.
    for (var j = 0u; j < V; j++) {
        let n = n0 + j * WX * 4u;
        if n < g.n {
            for (var back = 1u; back <= TM; back++) {
                let i = TM - back;
                if ONCE && m0 + i >= g.m {
                    continue;
                }
                var sums = Sums();
                for (var p = 0u; p < KEPT; p++) {
                    sums[p] = (*acc)[p][i][j];
                }
                keep(split, row_at(place, m0, i), n, i * V + j, sums);
            }
        }
    }
    // The fused epilogue is long, so its loop is not unrolled, unlike the one above, which must be. It reads the sums back from
    // where `keep` put them, by the invocation's slot.
    let rows = min(TM, g.m - m0);
    for (var e = 0u; e < rows * V; e++) {
        let n = n0 + e % V * WX * 4u;
        if n < g.n {
            finish(row_at(place, m0, e / V), n, e);
        }
    }
}

@compute @workgroup_size(WX, WY * SLICES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    prepare();
    let index = group.y * g.grid_x + group.x;
    if index >= g.tiles * g.splits {
        side(index - g.tiles * g.splits, lane);
        return;
    }
    let tile = index % g.tiles;
    let span = span_of(index / g.tiles, tile);
    let corner = corner_of(tile, lane.xy);
    var acc: Tile;
    var place: Place;
    sum_up(span, tile, lane.xy, corner.x, corner.y, &place, &acc);
    leave(&place, &acc, span.split, corner.x, corner.y);
}
