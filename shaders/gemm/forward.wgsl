// Use of the product: a dense layer and the activation that follows it.
//
//     a[m, n] = Σ_k x[m, k] W[n, k] + b[n]        z = act(a)
//
// A is x [batch, in], B is W [out, in]. Plane 0 of `out` gets z; plane 1 gets a, where KEEP says that the backward pass
// needs it.

fn a_base(p: u32) -> u32 {
    return 0u;
}

fn store(m0: u32, n0: u32, acc: ptr<function, Tile>) {
    for (var j = 0u; j < V; j++) {
        let n = n0 + j * WX * 4u;
        let b = bias4(n);
        for (var i = 0u; i < TM; i++) {
            let m = m0 + i;
            if m < g.m && n < g.n {
                let a = (*acc)[0][i][j] + b;
                put(m * g.n + n, vec4<f32>(act(a.x), act(a.y), act(a.z), act(a.w)), g.n - n);
                if KEEP {
                    put(g.c_plane + m * g.n + n, a, g.n - n);
                }
            }
        }
    }
}

fn side(group: u32, lane: vec3<u32>) {}
