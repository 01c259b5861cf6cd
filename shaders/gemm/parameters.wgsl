// Use of the product: gradient and Hessian diagonal of a dense layer's parameters.
//
//     gradient W[m, n] = Σ_k g[k, m] x[k, n]        gradient b[m] = Σ_k g[k, m]
//     diagonal W[m, n] = Σ_k d[k, m] x[k, n]²       diagonal b[m] = Σ_k d[k, m]
//
// A is the signal [batch, out] (planes 0 and 1: g and d), B is the layer's input [batch, in]. Workgroups after the last tile sum
// the bias, four outputs per invocation. Plugs: prepare and store (leave | update).

fn a_base(p: u32) -> u32 {
    return p * g.a_plane;
}

fn keep(split: u32, m: u32, n: u32, slot: u32, sums: Sums) {
    store(m * g.n + n, sums, g.n - n);
}

fn finish(m: u32, n: u32, slot: u32) {}

fn side(group: u32, lane: vec3<u32>) {
    let m = ((group * WY + lane.y) * WX + lane.x) * 4u;
    if BIAS && m < g.m {
        var sums: Sums;
        for (var k = 0u; k < g.k; k++) {
            for (var p = 0u; p < P; p++) {
                sums[p] += a4_guarded(a_base(p) + k * g.m + m, g.m - m);
            }
        }
        store(g.bias + m, sums, g.m - m);
    }
}
