// x̂ = (x - mean) / s with a given mean m, one number; d is 0. An x that is not finite is passed on: nothing else tells of it.
fn standardized(x: Value, m: Value, d: Value, inverse: Value) -> Value {
    return (x - m) * inverse;
}
