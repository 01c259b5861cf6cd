// v ← β₂ v + (1-β₂) g²: Adam
fn moved_moment(four: Fours) -> vec4<f32> {
    let old = second_moment(four.i, four.vectors);
    let v = hyper.beta2 * old + (1.0 - hyper.beta2) * four.g * four.g;
    set_second_moment(four.i, four.vectors, v);
    return v;
}
