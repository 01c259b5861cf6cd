// The one product behind every pass:
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])
//
// A carries P numbers per element (g | g, h | g, h, u …), B one. `through` is the rule of a linear map: number 1 (h)
// is multiplied by B², every other by B. With P = 1 this is plain backprop, or a plain product.
//
// Tile: an invocation owns TM rows and V vec4 columns, a workgroup WY × WX of those side by side; columns of one
// invocation stand WX vec4s apart, so that neighbours read neighbouring memory. K advances by KS, summed in order k = 0,
// 1, 2 … whatever the tile: the gradient has the same bits in every mode.
//
// Plugs: load_a (a_k | a_m) over a4 (a_vec4 | a_scalar), load_b (b_k | b_n) over b4 (b_vec4 | b_scalar), keep, finish and side
// (forward | signal | parameters) over write_out (out_vec4 | out_scalar).
// Grid: g.tiles workgroups (and what the use adds beside them), folded into rows of g.grid_x.

struct Gemm {
    m: u32,
    n: u32,
    k: u32,
    tiles_n: u32, // tiles along n
    tiles: u32, // tiles in all
    grid_x: u32,
    a_plane: u32, // distance between the planes of A, in elements
    c_plane: u32, // the same for a signal that is written
    bias: u32, // where the bias starts, counted from the weight
    scale: f32, // of what is stored
}

@group(0) @binding(0) var<uniform> g: Gemm;

alias Rows = array<f32, TM>;
alias Columns = array<vec4<f32>, V>;
alias Tile = array<array<Columns, TM>, P>;

// Steps along k after which a long sum begins a new run, so that its rounding errors stay few.
const RUN: u32 = 1024u;

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

@compute @workgroup_size(WX, WY)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let tile = group.y * g.grid_x + group.x;
    if tile >= g.tiles {
        side(tile - g.tiles, lane);
        return;
    }
    let m0 = (tile / g.tiles_n * WY + lane.y) * TM;
    let n0 = (tile % g.tiles_n * WX * V + lane.x) * 4u;
    var acc: Tile;
    var total: Tile; // of the runs that are done, where the sum is LONG
    for (var k = 0u; k < g.k; k += KS) {
        var b = load_b(k, n0);
        for (var p = 0u; p < P; p++) {
            var a = load_a(p, m0, k);
            for (var i = 0u; i < TM; i++) {
                for (var j = 0u; j < V; j++) {
                    for (var s = 0u; s < KS; s++) {
                        let through = select(b[s][j], b[s][j] * b[s][j], p == 1u);
                        acc[p][i][j] = fma(vec4<f32>(a[s][i]), through, acc[p][i][j]);
                    }
                }
            }
        }
        if LONG && (k / KS + 1u) % RUN == 0u {
            close_run(&acc, &total);
        }
    }
    if LONG {
        close_run(&acc, &total);
        acc = total;
    }
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
                for (var p = 0u; p < P; p++) {
                    keep(p, min(m0 + i, g.m - 1u), n, acc[p][i][j]);
                }
            }
        }
    }
    // What is fused is long, so it stands in a loop that is not unrolled, as the one above must be: it takes up the sums
    // from where they were kept.
    let rows = min(TM, g.m - m0);
    for (var e = 0u; e < rows * V; e++) {
        let n = n0 + e % V * WX * 4u;
        if n < g.n {
            finish(m0 + e / V, n);
        }
    }
}
