// z = s_c (x - mean_c) + β_c. Plug: standardized.
@group(0) @binding(5) var<storage, read> beta: array<f32>;

fn affine(i: u32, x: Value) -> Value {
    let v = i % p.vectors;
    let c = min(v * WIDTH + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u));
    let shift = narrow(vec4<f32>(beta[c.x], beta[c.y], beta[c.z], beta[c.w]));
    return standardized(x, statistics[v], statistics[p.vectors + v], slope(i)) + shift;
}
