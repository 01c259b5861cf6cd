// The signal at a of a gate, through the activation below.
fn leave_a(place: Place, gate: u32, s: Signal) {
    leave(place.image * p.stride_a + gate * p.hidden + place.unit, s);
}
