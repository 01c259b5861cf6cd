// below = 0: what selects rows has no derivative.
fn each(i: u32) {
    leave(i, Signal());
}
