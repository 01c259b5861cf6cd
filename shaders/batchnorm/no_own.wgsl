// own = 0: no vectors u.
fn own(sample: u32, k: u32, v: u32) -> array<Value, 2> {
    return array<Value, 2>();
}
