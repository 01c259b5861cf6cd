// Use of the product: gradient and Hessian diagonal of a dense layer's parameters.
//
//     gradient W[m, n] = Σ_k g[k, m] x[k, n]        gradient b[m] = Σ_k g[k, m]
//     diagonal W[m, n] = Σ_k d[k, m] x[k, n]²       diagonal b[m] = Σ_k d[k, m]
//
// A is the signal [batch, out] (planes 0 and 1: g and d), B is the layer's input [batch, in]. All is scaled by g.scale, and
// added to what is there where ACCUMULATE says so. The bias is summed on the side, by groups past the last tile, four
// outputs an invocation.

// A row must not be added twice.
const ONCE: bool = ACCUMULATE;

fn a_base(p: u32) -> u32 {
    return p * g.a_plane;
}

// p = 0: gradient, 1: diagonal.
fn add(p: u32, index: u32, sum: vec4<f32>, valid: u32) {
    var value = g.scale * sum;
    if p == 0u {
        if ACCUMULATE {
            value += read_out(index);
        }
        write_out(index, value, valid);
    } else {
        if ACCUMULATE {
            value += read_diagonal(index);
        }
        write_diagonal(index, value, valid);
    }
}

fn keep(split: u32, p: u32, m: u32, n: u32, sum: vec4<f32>) {
    add(p, m * g.n + n, sum, g.n - n);
}

fn finish(m: u32, n: u32) {}

fn side(group: u32, lane: vec3<u32>) {
    let m = ((group * WY + lane.y) * WX + lane.x) * 4u;
    if BIAS && m < g.m {
        var sums: array<vec4<f32>, P>;
        for (var k = 0u; k < g.k; k++) {
            for (var p = 0u; p < P; p++) {
                sums[p] += a4_guarded(a_base(p) + k * g.m + m, g.m - m);
            }
        }
        for (var p = 0u; p < P; p++) {
            add(p, g.bias + m, sums[p], g.m - m);
        }
    }
}
