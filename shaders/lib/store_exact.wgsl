// What is written is stored as it is.
fn storable(value: vec4<f32>) -> vec4<f32> {
    return value;
}
