// Nothing below needs a signal.
fn leave_a(place: Place, gate: u32, s: Signal) {}
