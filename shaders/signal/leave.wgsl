// The end of a backward kernel: the signal at element i goes through the activation below and is stored:
//
//     g' = f' g      h' = f'² h + f'' g  (Gauss-Newton: without the f'' term)      u' = f' u      d' = h' + Σ u'²
//
// Plug: derivatives.

@group(0) @binding(2) var<storage, read_write> below: array<Value2>;

struct Derivatives {
    first: Value,
    second: Value,
}

fn put(at: u32, value: Value) {
    below[at] = Value2(storable_value(value));
}

fn leave(i: u32, signal: Signal) {
    var s = signal;
    let f = derivatives(i);
    put(i, f.first * s.g);
    if HAS_DIAGONAL {
        var h = f.first * f.first * s.h;
        if F2_TERM {
            h += f.second * s.g;
        }
        var d = h;
        for (var r = 0u; r < RANK; r++) {
            let u = f.first * s.u[r];
            d += u * u;
            put((3u + r) * p.plane_out + i, u);
        }
        put(p.plane_out + i, d);
        if RANK > 0u {
            put(2u * p.plane_out + i, h);
        }
    }
}
