// q = d², d the Hessian diagonal: AdaHesScale
@group(0) @binding(7) var<storage, read> diagonal: array<vec4<f32>>;

fn second_moment(i: u32, g: vec4<f32>) -> vec4<f32> {
    let d = diagonal[i];
    let v = hyper.beta2 * second[i] + (1.0 - hyper.beta2) * d * d;
    second[i] = v;
    return v;
}
