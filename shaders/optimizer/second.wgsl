// v[i] = moments[vectors + i]: the second moments follow the first ones.
fn second_moment(i: u32, vectors: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(memory.moments[vectors + i]);
}

fn set_second_moment(i: u32, vectors: u32, v: vec4<f32>) {
    memory.moments[vectors + i] = bitcast<vec4<u32>>(v);
}

// v ← β₂ v + (1-β₂) x²
fn move_second_moment(four: Fours, x: vec4<f32>) -> vec4<f32> {
    let old = second_moment(four.i, four.vectors);
    let v = hyper.beta2 * old + (1.0 - hyper.beta2) * x * x;
    set_second_moment(four.i, four.vectors, v);
    return v;
}
