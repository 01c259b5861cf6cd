// signal = the signal above in the order of x, then through the activation below (signal/leave); one number per invocation.
// Plug: source.

fn each(i: u32) {
    let e = element(i);
    var s = Signal();
    if e.channel < p.channels {
        s = above_at(source(e));
    }
    leave(i, s);
}
