// PReLU, z = f x with f = 1 above 0, else the slope w: of each channel, or one for all. `channels` counts those that have a slope.
// Plug: slopes.

fn factor(i: u32, x: Value) -> Value {
    let v = i % p.vectors;
    // Padding channels use the last slope; so do all channels, if it is the only one.
    let c = min(v * WIDTH + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u));
    let w = narrow(vec4<f32>(slopes[c.x], slopes[c.y], slopes[c.z], slopes[c.w]));
    return select(w, Value(1.0), x > Value(0.0));
}
