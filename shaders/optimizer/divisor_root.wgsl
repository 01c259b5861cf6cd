// √v̂: what a step was divided by, without ε
fn divisor_at(i: u32, vectors: u32) -> vec4<f32> {
    return sqrt(counters.v_scale * second_moment(i, vectors));
}
