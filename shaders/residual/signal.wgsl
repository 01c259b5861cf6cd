// The signal at a value that two branches use, and through the activation that made it: the sum of both branches' signals
// (cross terms dropped); one value an invocation.

@group(0) @binding(3) var<storage, read> other: array<Value3>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
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
}
