// The signal at x or at y of z = (x, y): its part of the signal above, then through the activation below (signal/leave); one value
// per invocation.

fn each(i: u32) {
    let at = divide(i, p.stride);
    var s = Signal();
    if at.y < p.count {
        s = above_at(at.x * p.stride_z + p.first + at.y);
    }
    leave(i, s);
}
