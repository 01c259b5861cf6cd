// The factor b of a slope of PReLU: min(x, 0), NaN where x is.
@group(0) @binding(3) var<storage, read> x: array<Value3>;

fn part_of(entry: u32) -> vec2<u32> {
    return vec2<u32>(0u);
}

fn factor(entry: vec2<u32>, n: u32, q: vec2<u32>, v: u32) -> Value {
    let here = Value(x[index_of(n, q, v)]);
    return select(here, Value(0.0), here > Value(0.0));
}
