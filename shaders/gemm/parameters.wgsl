// Use of the product: gradient and Hessian diagonal of a dense layer's parameters.
//
//     gradient W[m, n] = Σ_k g[k, m] x[k, n]        gradient b[m] = Σ_k g[k, m]
//     diagonal W[m, n] = Σ_k d[k, m] x[k, n]²       diagonal b[m] = Σ_k d[k, m]
//
// A is the signal [batch, out] (planes 0 and 1: g and d), B is the layer's input [batch, in]. Plugs: prepare and store (leave |
// update); side, the bias (side_one | staged/side).

alias Sides = Sums;

// A bias is summed in one run, or term by term by several invocations.
const BIAS_RUN: u32 = 0x80000000u;
const BIAS_DEAL: u32 = 1u;

fn a_base(p: u32) -> u32 {
    return p * g.a_plane;
}

fn keep(split: u32, m: u32, n: u32, slot: u32, sums: Sums) {
    store(m * g.n + n, sums, g.n - n);
}

fn finish(m: u32, n: u32, slot: u32) {}

fn bias_span(split: u32) -> Span {
    return span_of(split, 0u);
}

fn leave_bias(split: u32, m: u32, sums: Sides) {
    store(g.bias + m, sums, g.m - m);
}
