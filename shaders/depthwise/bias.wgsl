// bias4(v) = b[4v .. 4v + 4]. Padding channels use the last channel's bias.
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn bias4(v: u32) -> vec4<f32> {
    let c = min(4u * v + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.channels - 1u));
    return vec4<f32>(bias[c.x], bias[c.y], bias[c.z], bias[c.w]);
}
