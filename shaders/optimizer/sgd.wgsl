// b ← μ b + g;  step = b, or g + μ b (Nesterov)
fn step_of(i: u32, g: vec4<f32>, d: vec4<f32>) -> vec4<f32> {
    let b = hyper.beta1 * first[i] + g;
    first[i] = b;
    if NESTEROV {
        return g + hyper.beta1 * b;
    }
    return b;
}
