// factor = 1/k, k the number of elements that the window counts
fn factor(j: u32, q: vec2<u32>, place: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(1.0 / weight(q));
}
