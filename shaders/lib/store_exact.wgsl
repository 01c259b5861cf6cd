// storable(x) = x: values are stored unchanged.
fn storable(value: vec4<f32>) -> vec4<f32> {
    return value;
}
