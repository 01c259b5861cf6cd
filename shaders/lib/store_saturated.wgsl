// storable(x) = clamp(x, ±65504): finite values saturate at the largest f16 instead of overflowing when they are stored. NaN and
// infinity pass through unchanged; they are detected by their bits.
fn storable(value: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(value);
    let held = bitcast<vec4<u32>>(clamp(value, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
    let exponent = vec4<u32>(0x7f800000u);
    return bitcast<vec4<f32>>(select(bits, held, (bits & exponent) != exponent));
}
