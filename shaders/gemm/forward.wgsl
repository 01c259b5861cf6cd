// Use of the product: a dense layer (or convolution, over its taps) and the following activation.
//
//     a[m, n] = Σ_k x[m, k] W[n, k] + b[n]        z = act(a)
//
// A is x [batch, in], B is W [out, in]. Plane 0 of `out` stores z; plane 1 stores a if the backward pass needs it (KEEP).

const ONCE: bool = false;

fn prepare() {}

fn a_base(p: u32) -> u32 {
    return 0u;
}

fn keep(split: u32, m: u32, n: u32, slot: u32, sums: Sums) {
    hold(slot, 0u, m * g.n + n, sums[0], g.n - n);
}

fn finish(m: u32, n: u32, slot: u32) {
    let index = m * g.n + n;
    let a = held(slot, 0u, index) + bias4(n);
    write_out(index, vec4<f32>(act(a.x), act(a.y), act(a.z), act(a.w)), g.n - n);
    if KEEP {
        write_out(g.c_plane + index, a, g.n - n);
    }
}

fn side(group: u32, lane: vec3<u32>) {}
