// The signal through an activation by itself (signal/leave), one element per invocation.
fn each(i: u32) {
    leave(i, above_at(i));
}
