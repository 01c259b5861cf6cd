// z = s x
fn affine(i: u32, x: Value) -> Value {
    return slope(i) * x;
}
