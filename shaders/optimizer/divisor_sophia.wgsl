// max(γ v, ε): what a step was divided by
fn divisor_at(i: u32, vectors: u32) -> vec4<f32> {
    return max(hyper.gamma * second_moment(i, vectors), vec4<f32>(hyper.eps));
}
