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

fn write(index: u32, gradient: vec4<f32>, second: vec4<f32>, valid: u32) {
    var first = g.scale * gradient;
    if ACCUMULATE {
        first += get(index);
    }
    put(index, first, valid);
    if P > 1u {
        var d = g.scale * second;
        if ACCUMULATE {
            d += get_diagonal(index);
        }
        put_diagonal(index, d, valid);
    }
}

fn store(m0: u32, n0: u32, acc: ptr<function, Tile>) {
    for (var i = 0u; i < TM; i++) {
        let m = m0 + i;
        for (var j = 0u; j < V; j++) {
            let n = n0 + j * WX * 4u;
            if m < g.m && n < g.n {
                write(m * g.n + n, (*acc)[0][i][j], (*acc)[D][i][j], g.n - n);
            }
        }
    }
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
        write(g.bias + m, sums[0], sums[D], g.m - m);
    }
}
