// x̂ = (x - mean) / s, with mean = m + d in two numbers: x - m is exact for x near m, however far both are from 0. The `min`, which
// never takes effect, keeps a fast-math compiler from adding m and d; where an x of the group is not finite, 1/s is NaN.
fn standardized(x: Value, m: Value, d: Value, inverse: Value) -> Value {
    return (min(x - m, Value(3e38)) - d) * inverse;
}
