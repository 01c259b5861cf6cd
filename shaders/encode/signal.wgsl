// The signal below z_k = f_k(a), one number a per invocation:
//
//     g' = Σ_k f_k' g_k      h' = Σ_k (f_k'² h_k + f_k'' g_k)  (Gauss-Newton: without f'' g)      u' = Σ_k f_k' u_k
//
// then through the activation below (signal/leave). Plug: encoded.
@group(0) @binding(3) var<storage, read> x: array<Value3>;

fn each(i: u32) {
    let at = divide(i, p.positions);
    let first = at.x * p.numbers * p.positions + at.y;
    var s = Signal();
    for (var k = 0u; k < p.numbers; k++) {
        let f = encoded(Value(x[i]), k);
        let above = above_at(first + k * p.positions);
        s = gather(s, above, f.y);
        if HAS_DIAGONAL && F2_TERM {
            s.h += f.z * above.g;
        }
    }
    leave(i, s);
}
