// What is written is rounded to f16 when it is stored, and stays finite: beyond the largest f16 it counts as that. What is not
// finite in f32 is not hidden so: it goes through as it is, looked at by its bits.
fn storable(value: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(value);
    let held = bitcast<vec4<u32>>(clamp(value, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
    let exponent = vec4<u32>(0x7f800000u);
    return bitcast<vec4<f32>>(select(bits, held, (bits & exponent) != exponent));
}
