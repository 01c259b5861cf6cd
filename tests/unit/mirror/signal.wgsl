
// g_i = c_j g_j      h_i = c_j² h_j      u_i = c_j u_j      j = n - 1 - i

fn each(i: u32) {
    let j = source_of(i);
    leave(i, gather(Signal(), above_at(j), factor(j)));
}
