// The sum of a Value's numbers.
fn across(v: Value) -> f32 {
    return v;
}
