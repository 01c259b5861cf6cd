// The signal at a value that two branches read, with the branches' signals 1 (above) and 2 (other):
//
//     g = g₁ + g₂      h = h₁ + h₂      u = u₁ + u₂
//
// then through the activation that produced the value (signal/leave). h drops the cross terms between the branches; u keeps them,
// because it is squared after the sum. One value per invocation.

@group(0) @binding(3) var<storage, read> other: array<Value3>;

fn each(i: u32) {
    var s = above_at(i);
    s.g += Value(other[i]);
    if HAS_DIAGONAL {
        s.h += Value(other[H * p.plane_in + i]);
        for (var r = 0u; r < RANK; r++) {
            s.u[r] += Value(other[(3u + r) * p.plane_in + i]);
        }
    }
    leave(i, s);
}
