// The slope at element i: f, which x decides.
@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> slopes: array<f32>;

fn slope(i: u32) -> Value {
    return factor(i, Value(x[i]));
}
