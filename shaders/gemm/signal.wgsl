// Use of the product: a signal goes backward through a dense layer and the activation below it.
//
//     g' = f' Σ_k g[m, k] W[k, n]
//     h' = f'² Σ_k h[m, k] W[k, n]² + f'' Σ_k g[m, k] W[k, n]         (Gauss-Newton: without the f'' term)
//     u' = f' Σ_k u[m, k] W[k, n]
//
// A is the signal above [batch, out], B is W [out, in]. Planes of a signal: 0 g; 1 the diagonal d = h + Σ u²; with u (P > 2):
// 2 h, 3 … u. Without u, d = h.

alias Value = vec4<f32>;

const ONCE: bool = false;

fn prepare() {}

fn a_base(p: u32) -> u32 {
    return select(p, p + 1u, P > 2u && p > 0u) * g.a_plane;
}

fn keep(split: u32, m: u32, n: u32, slot: u32, sums: Sums) {
    for (var p = 0u; p < P; p++) {
        hold(slot, p, p * g.c_plane + m * g.n + n, sums[p], g.n - n);
    }
}

fn finish(m: u32, n: u32, slot: u32) {
    let index = m * g.n + n;
    let valid = g.n - n;
    let f = derivatives_at(below4(index));
    let at_output = held(slot, 0u, index);
    write_out(index, f.first * at_output, valid);
    if P > 1u {
        let h = h_below(f, at_output, held(slot, 1u, g.c_plane + index));
        var d = h;
        // From the last u backward, because each moves up one plane to make room for d.
        for (var p = P - 1u; p > 1u; p--) {
            let u = f.first * held(slot, p, p * g.c_plane + index);
            d += u * u;
            write_out((p + 1u) * g.c_plane + index, u, valid);
        }
        write_out(g.c_plane + index, d, valid);
        if P > 2u {
            write_out(2u * g.c_plane + index, h, valid);
        }
    }
}

fn side(group: u32, lane: vec3<u32>) {}
