// z = x + W, W of a number for each element of a sample.
@group(0) @binding(3) var<storage, read> w: array<f32>;

fn affine(i: u32, x: Value) -> Value {
    // Padding takes the last number.
    let c = min(i % p.vectors * WIDTH + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u));
    return x + narrow(vec4<f32>(w[c.x], w[c.y], w[c.z], w[c.w]));
}
