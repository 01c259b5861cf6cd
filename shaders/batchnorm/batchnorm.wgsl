// Batch normalisation with statistics that are given: s_c = γ_c / √(var_c + ε).

@group(0) @binding(3) var<storage, read> statistics: array<Value>; // m and d, with mean = m + d, then 1 / √(var + ε)
@group(0) @binding(4) var<storage, read> gamma: array<f32>;

fn slope(i: u32) -> Value {
    let v = i % p.vectors;
    // Padding channels use the last channel's parameters.
    let c = min(v * WIDTH + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u));
    return narrow(vec4<f32>(gamma[c.x], gamma[c.y], gamma[c.z], gamma[c.w])) * statistics[2u * p.vectors + v];
}
