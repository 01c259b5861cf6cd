// v ← β₂ v + (1-β₂) q
fn move_mean(four: Fours, q: vec4<f32>) -> vec4<f32> {
    let v = hyper.beta2 * second_moment(four.i, four.vectors) + (1.0 - hyper.beta2) * q;
    set_second_moment(four.i, four.vectors, v);
    return v;
}
