// bias4(v) = 0: no bias.
fn bias4(v: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
