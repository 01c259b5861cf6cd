// Use of the product: sums for the parameters of a convolution, over a part of the batch.
//
//     gradient W[m, n] = Σ_s Σ_k g[s, k, m] x[s, k, n]        gradient b[m] = Σ_s Σ_k g[s, k, m]
//     diagonal W[m, n] = Σ_s (Σ_k h[s, k, m] x[s, k, n]² + Σ_j (Σ_k u_j[s, k, m] x[s, k, n])²)
//     diagonal b[m] = Σ_s (Σ_k h[s, k, m] + Σ_j (Σ_k u_j[s, k, m])²)
//
// over samples s and positions k. A is the signal [s, k, m], B is the input that a tap reads. Each part of the sum writes its own
// KEPT planes [m, n], each followed by the bias; `unpack.wgsl` adds them up. If a sample is split into parts (JOINT is false then),
// u is written without squaring, and `unpack.wgsl` squares it.
// Workgroups after the last tile sum the bias, four outputs per invocation.

const ONCE: bool = false;

// Biases are summed in runs of this many positions, because cancellation amplifies their rounding error.
const BIAS_RUN: u32 = 32u;

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

fn side(group: u32, lane: vec3<u32>) {
    let groups = (g.m + 4u * WX * WY - 1u) / (4u * WX * WY);
    let m = ((group % groups * WY + lane.y) * WX + lane.x) * 4u;
    if BIAS && m < g.m {
        let span = samples_of(group / groups);
        var sums: array<vec4<f32>, P>;
        var run: array<vec4<f32>, P>;
        for (var sample = span.first; sample < span.last; sample++) {
            for (var start = span.begin; start < span.end; start += BIAS_RUN) {
                for (var k = start; k < min(start + BIAS_RUN, span.end); k++) {
                    for (var p = 0u; p < P; p++) {
                        run[p] += a4(a_base(p) + (sample * g.k + k) * g.m + m);
                    }
                }
                for (var p = 0u; p < P; p++) {
                    sums[p] += run[p];
                    run[p] = vec4<f32>(0.0);
                }
            }
            if JOINT {
                for (var p = 2u; p < P; p++) {
                    sums[D] += sums[p] * sums[p];
                    sums[p] = vec4<f32>(0.0);
                }
            }
        }
        for (var p = 0u; p < KEPT; p++) {
            write_out((span.split * KEPT + p) * g.c_plane + g.bias + m, sums[p], 4u);
        }
    }
}
