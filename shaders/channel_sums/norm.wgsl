// The factor b of the entries of layer, RMS and group normalisation (norm/forward): x̂ for γ, 1 for β.
@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> statistics: array<vec4<f32>>; // of each group, or of each position: m, d, 1/s

fn part_of(entry: u32) -> vec2<u32> {
    return vec2<u32>(entry, 0u);
}

fn factor(entry: vec2<u32>, n: u32, q: vec2<u32>, v: u32) -> Value {
    if entry.x == 1u {
        return Value(1.0);
    }
    let at = index_of(n, q, v);
    let first = select(n, (n * p.positions.x + q.x) * p.row + q.y, APART) * GROUPS;
    // Padding channels use the last group's statistics.
    let group = min((v * WIDTH + vec4<u32>(0u, 1u, 2u, 3u)) / GROUP_WIDTH, vec4<u32>(GROUPS - 1u));
    let a = statistics[first + group.x];
    let b = statistics[first + group.y];
    let c = statistics[first + group.z];
    let d = statistics[first + group.w];
    let m = narrow(vec4<f32>(a.x, b.x, c.x, d.x));
    let rest = narrow(vec4<f32>(a.y, b.y, c.y, d.y));
    return standardized(Value(x[at]), m, rest, narrow(vec4<f32>(a.z, b.z, c.z, d.z)));
}
