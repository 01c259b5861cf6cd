// v[i] = moments[vectors + i]: the second moments follow the first ones.
fn second_moment(i: u32, vectors: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(memory.moments[vectors + i]);
}

fn set_second_moment(i: u32, vectors: u32, v: vec4<f32>) {
    memory.moments[vectors + i] = bitcast<vec4<u32>>(v);
}
