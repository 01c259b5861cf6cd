// The signal below z_i = s_i x_i + t_i:
//
//     g_i = s_i g_i      h_i = s_i² h_i      u_i = s_i u_i
//
// then through the activation below (signal/leave), one value per invocation. Plug: slope.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        leave(i, gather(Signal(), above_at(i), slope(i)));
    }
}
