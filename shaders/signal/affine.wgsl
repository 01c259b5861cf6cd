// The signal below z_i = s_i x_i + t_i:
//
//     g_i = s_i g_i      h_i = s_i² h_i      u_i = s_i u_i
//
// then through the activation below (signal/leave), one value per invocation. Plug: slope.

fn each(i: u32) {
    leave(i, gather(Signal(), above_at(i), slope(i)));
}
