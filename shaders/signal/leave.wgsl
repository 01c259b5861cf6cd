// below = the signal at element i through the activation below (signal/activation): the end of a backward kernel.
// Plug: derivatives.

@group(0) @binding(2) var<storage, read_write> below: array<Value2>;

fn put(at: u32, value: Value) {
    below[at] = Value2(storable_value(value));
}

fn leave(i: u32, signal: Signal) {
    var s = signal;
    let f = derivatives(i);
    put(i, f.first * s.g);
    if HAS_DIAGONAL {
        let h = h_below(f, s.g, s.h);
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
