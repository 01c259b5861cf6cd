// weight4(v, t) = W[4v .. 4v + 4, t], W [channels, taps]. Padding channels use the last channel's weights.
@group(0) @binding(WEIGHT_BINDING) var<storage, read> weight: array<f32>;

fn weight4(v: u32, tap: u32) -> vec4<f32> {
    let c = min(4u * v + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u)) * p.kernel.x * p.kernel.y + tap;
    return vec4<f32>(weight[c.x], weight[c.y], weight[c.z], weight[c.w]);
}
