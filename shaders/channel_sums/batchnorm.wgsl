// The factor b of batch normalisation's entries: x̂ = (x - mean) / √(var + ε) for γ, 1 for β.
@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> statistics: array<Value>; // m and d, with mean = m + d, then 1 / √(var + ε)

fn part_of(entry: u32) -> vec2<u32> {
    return vec2<u32>(entry, 0u);
}

fn factor(entry: vec2<u32>, n: u32, q: vec2<u32>, v: u32) -> Value {
    if entry.x == 1u {
        return Value(1.0);
    }
    let at = index_of(n, q, v);
    let inverse = statistics[2u * p.vectors + v];
    return standardized(Value(x[at]), statistics[v], statistics[p.vectors + v], inverse);
}
