// q = g²: Adam
fn second_moment(i: u32, g: vec4<f32>, d: vec4<f32>) -> vec4<f32> {
    let v = hyper.beta2 * second[i] + (1.0 - hyper.beta2) * g * g;
    second[i] = v;
    return v;
}
