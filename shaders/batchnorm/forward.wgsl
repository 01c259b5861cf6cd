// z = s_c (x - mean_c) + β_c
@group(0) @binding(5) var<storage, read> beta: array<f32>;

fn affine(i: u32, x: Value) -> Value {
    let v = i % p.vectors;
    let c = min(v * WIDTH + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u));
    let shift = narrow(vec4<f32>(beta[c.x], beta[c.y], beta[c.z], beta[c.w]));
    let scale = slope(i);
    let z = standardized(x, statistics[v], statistics[p.vectors + v], scale);
    return narrow(select(vec4<f32>(x * scale), vec4<f32>(z), are_finite(vec4<f32>(x)))) + shift;
}

// Statistics that are given know nothing of an x that is not finite, which `standardized` hides.
fn are_finite(x: vec4<f32>) -> vec4<bool> {
    let exponent = vec4<u32>(0x7f800000u);
    return (bitcast<vec4<u32>>(x) & exponent) != exponent;
}
