
// g_i = c_j g_j      h_i = c_j² h_j      u_i = c_j u_j      j = n - 1 - i

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        let j = source_of(i);
        leave(i, gather(Signal(), above_at(j), factor(j)));
    }
}
