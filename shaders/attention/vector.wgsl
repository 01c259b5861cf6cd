// The sum of a Value's numbers.
fn across(v: Value) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}
