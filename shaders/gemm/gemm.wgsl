// The one product behind every pass:
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])
//
// A carries P numbers per element (g | g, h | g, h, u …), B one. `through` is the rule of a linear map: number 1 (h)
// is multiplied by B², every other by B. With P = 1 this is plain backprop, or a plain product.
//
// Tile: an invocation owns TM rows and V vec4 columns, a workgroup WY × WX of those side by side; columns of one
// invocation stand WX vec4s apart, so that neighbours read neighbouring memory. The sum runs over segments (one for a dense
// layer; a kernel's taps or a batch's samples for a convolution) and, within each, over k, in order whatever the tile and the
// family: the gradient has the same bits in every mode.
//
// Plugs: sum_up, the family (registers | workgroup); span_of, arrive, enter, passes, locate, next_k and row_at (walk_dense |
// walk_taps | walk_samples); a_four, four elements of A along k or along m (a_k | a_m | a_image) over a4 (a_vec4 | a_scalar);
// b_four, the same of B (b_k | b_n | b_image) over b4 (b_vec4 | b_scalar); prepare, keep, finish and side (forward | signal |
// parameters | partial) over write_out (out_vec4 | out_scalar), hold and held (hold_out | hold_aside).
// Grid: g.splits times g.tiles workgroups (and what the use adds beside them), folded into rows of g.grid_x.

struct Gemm {
    m: u32,
    n: u32,
    k: u32, // of one segment
    tiles_n: u32, // tiles along n
    tiles: u32, // tiles in all
    splits: u32, // parts that the sum is cut into, each with its own result
    grid_x: u32,
    a_plane: u32, // distance between the planes of A, in elements
    c_plane: u32, // the same for a signal that is written, or for partial sums
    bias: u32, // where the bias starts, counted from the weight
    scale: f32, // of what is stored
    first: u32, // where the parameters that are updated begin, in vec4s
    image: Image, // of a convolution
}

// Images are [batch, height, width, channels], channels a multiple of four.
struct Image {
    rows: vec2<u32>, // the image whose positions the walk takes one by one
    source: vec2<u32>, // the image that a window looks into from there
    samples: u32,
    per_split: u32, // samples of one part of the sum
    parts: u32, // parts of one sample, where a sample alone is too much for one
    part: u32, // positions of such a part
    groups: u32,
    group_m: u32, // rows, columns and terms that belong to one group
    group_n: u32,
    group_k: u32,
}

@group(0) @binding(0) var<uniform> g: Gemm;

// What of the sum a workgroup makes: segments, and k of each. All its invocations agree on it, so barriers may depend on it.
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

// The number that B² multiplies, where there is one.
const D: u32 = min(1u, P - 1u);

// A LONG sum begins a new run after RUN steps along k, so that its rounding errors stay few.
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

// A sample's end where parameters are shared between positions: u has been summed over them, and is squared only now.
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

// Stores the sums and finishes what is fused.
fn leave(place: ptr<function, Place>, acc: ptr<function, Tile>, split: u32, m0: u32, n0: u32) {
    if m0 >= g.m {
        return;
    }
    // Few branches, for they are dear where this is unrolled: rows past the end go where the last one is about to go.
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
    // What is fused is long, so it stands in a loop that is not unrolled, as the one above must be: it takes up the sums
    // from where they were kept, by the slot among those of the invocation.
    let rows = min(TM, g.m - m0);
    for (var e = 0u; e < rows * V; e++) {
        let n = n0 + e % V * WX * 4u;
        if n < g.n {
            finish(row_at(place, m0, e / V), n, e);
        }
    }
}

@compute @workgroup_size(WX, WY)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    prepare();
    let index = group.y * g.grid_x + group.x;
    if index >= g.tiles * g.splits {
        side(index - g.tiles * g.splits, lane);
        return;
    }
    let tile = index % g.tiles;
    let span = span_of(index / g.tiles, tile);
    let m0 = (tile / g.tiles_n * WY + lane.y) * TM;
    let n0 = (tile % g.tiles_n * WX * V + lane.x) * 4u;
    var acc: Tile;
    var place: Place;
    sum_up(span, tile, lane.xy, m0, n0, &place, &acc);
    leave(&place, &acc, span.split, m0, n0);
}
