// q = d², d the Hessian diagonal: AdaHesScale
fn second_moment(i: u32, g: vec4<f32>, d: vec4<f32>) -> vec4<f32> {
    let v = hyper.beta2 * second[i] + (1.0 - hyper.beta2) * d * d;
    second[i] = v;
    return v;
}
