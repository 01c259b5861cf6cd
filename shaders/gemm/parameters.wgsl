// Use of the product: gradient and Hessian diagonal of a dense layer's parameters.
//
//     gradient W[m, n] = Σ_k g[k, m] x[k, n]        gradient b[m] = Σ_k g[k, m]
//     diagonal W[m, n] = Σ_k d[k, m] x[k, n]²       diagonal b[m] = Σ_k d[k, m]
//
// A is the signal [batch, out] (planes 0 and 1: g and d), B is the layer's input [batch, in]. All is scaled by g.scale, and
// added to what is there where ACCUMULATE says so. The bias is summed on the side, by groups past the last tile, four
// outputs an invocation.

const D: u32 = min(1u, P - 1u);

fn a_base(p: u32) -> u32 {
    return p * g.a_plane;
}

fn add(index: u32, gradient: vec4<f32>, second: vec4<f32>, valid: u32) {
    var first = g.scale * gradient;
    if ACCUMULATE {
        first += read_out(index);
    }
    write_out(index, first, valid);
    if P > 1u {
        var d = g.scale * second;
        if ACCUMULATE {
            d += read_diagonal(index);
        }
        write_diagonal(index, d, valid);
    }
}

fn finish(m: u32, n: u32, value: array<vec4<f32>, P>) {
    add(m * g.n + n, value[0], value[D], g.n - n);
}

fn side(group: u32, lane: vec3<u32>) {
    let m = ((group * WY + lane.y) * WX + lane.x) * 4u;
    if BIAS && m < g.m {
        var sums: array<vec4<f32>, P>;
        for (var k = 0u; k < g.k; k++) {
            for (var p = 0u; p < P; p++) {
                sums[p] += a4_guarded(a_base(p) + k * g.m + m, g.m - m);
            }
        }
        add(g.bias + m, sums[0], sums[D], g.m - m);
    }
}
