// Use of the product: sums for the parameters of a convolution, over a part of the batch.
//
//     gradient W[m, n] = Σ_s Σ_k g[s, k, m] x[s, k, n]        gradient b[m] = Σ_s Σ_k g[s, k, m]
//     diagonal W[m, n] = Σ_s (Σ_k h[s, k, m] x[s, k, n]² + Σ_j (Σ_k u_j[s, k, m] x[s, k, n])²)
//     diagonal b[m] = Σ_s (Σ_k h[s, k, m] + Σ_j (Σ_k u_j[s, k, m])²)
//
// over samples s and positions k. A is the signal [s, k, m], B is the input that a tap reads. Each part of the sum writes its own
// KEPT planes [m, n], each followed by the bias; `unpack.wgsl` adds them up. If a sample is split into parts (JOINT is false then),
// u is written without squaring, and `unpack.wgsl` squares it.
// Plug: side, the bias (side_one | staged/side).

const ONCE: bool = false;

alias Sides = array<vec4<f32>, P>;

// Biases are summed in runs of this many positions, because cancellation amplifies their rounding error.
const BIAS_RUN: u32 = 32u;
const BIAS_DEAL: u32 = BIAS_RUN;

fn prepare() {}

// Components are g | g, h | g, h, u …; the signal's planes are g, d, and with u also h, u ….
fn a_base(p: u32) -> u32 {
    return select(p, p + 1u, P > 2u && p > 0u) * g.a_plane;
}

fn keep(split: u32, m: u32, n: u32, slot: u32, sums: Sums) {
    for (var p = 0u; p < KEPT; p++) {
        write_out((split * KEPT + p) * g.c_plane + m * g.n + n, sums[p], 4u);
    }
}

fn finish(m: u32, n: u32, slot: u32) {}

fn bias_span(split: u32) -> Span {
    return samples_of(split);
}

fn leave_bias(split: u32, m: u32, sums: Sides) {
    for (var p = 0u; p < KEPT; p++) {
        write_out((split * KEPT + p) * g.c_plane + g.bias + m, sums[p], 4u);
    }
}
