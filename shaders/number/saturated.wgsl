// What is written is rounded to f16 when it is stored, and stays finite: beyond the largest f16 it counts as that.
fn storable(value: vec4<f32>) -> vec4<f32> {
    return clamp(value, vec4<f32>(-65504.0), vec4<f32>(65504.0));
}
