// A signal going backward through a linear map z_j = Σ_i f_ji x_i:
//
//     g_i = Σ_j f_ji g_j      h_i = Σ_j f_ji² h_j      u_i = Σ_j f_ji u_j
//
// Planes of a signal: 0 g; 1 d = h + Σ u²; with RANK > 0: 2 h, 3 … u. Without u, d = h.

@group(0) @binding(1) var<storage, read> above: array<Value1>;

const H: u32 = select(1u, 2u, RANK > 0u);
const U: u32 = max(RANK, 1u);

struct Signal {
    g: Value,
    h: Value,
    u: array<Value, U>,
}

// The signal at element j above.
fn above_at(j: u32) -> Signal {
    var s = Signal();
    s.g = Value(above[j]);
    if HAS_DIAGONAL {
        s.h = Value(above[H * p.plane_in + j]);
        for (var r = 0u; r < RANK; r++) {
            s.u[r] = Value(above[(3u + r) * p.plane_in + j]);
        }
    }
    return s;
}

// Adds t's contribution through the factor f.
fn gather(sum: Signal, t: Signal, f: Value) -> Signal {
    var s = sum;
    s.g += f * t.g;
    if HAS_DIAGONAL {
        s.h += f * f * t.h;
        for (var r = 0u; r < RANK; r++) {
            s.u[r] += f * t.u[r];
        }
    }
    return s;
}
