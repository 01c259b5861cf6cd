// Use of the product: sums for the parameters of a convolution, over a part of the batch.
//
//     gradient W[m, n] = Σ_s Σ_k g[s, k, m] x[s, k, n]        gradient b[m] = Σ_s Σ_k g[s, k, m]
//     diagonal W[m, n] = Σ_s (Σ_k h[s, k, m] x[s, k, n]² + Σ_j (Σ_k u_j[s, k, m] x[s, k, n])²)
//     diagonal b[m] = Σ_s (Σ_k h[s, k, m] + Σ_j (Σ_k u_j[s, k, m])²)
//
// over samples s and positions k. A is the signal [s, k, m], B is what a tap sees of the input. Each part of the sum writes
// its own KEPT planes [m, n], behind each the bias; `unpack.wgsl` adds them up. Where a sample is cut into parts (not JOINT
// then), u is left as it is for that to square.
// The bias is summed on the side, by groups past the last tile, four outputs an invocation.

const ONCE: bool = false;

// A bias is summed in runs of so many positions: much cancels in it, and the rounding errors must stay few.
const BIAS_RUN: u32 = 32u;

fn prepare() {}

// Numbers are g | g, h | g, h, u …; planes of the signal are g, d, and with u also h, u ….
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
