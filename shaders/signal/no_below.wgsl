// derivatives(i) = (1, 0): no activation below.
fn derivatives(i: u32) -> Derivatives {
    return Derivatives(Value(1.0), Value(0.0));
}
