// v ← β₂ v + (1-β₂) d², d the Hessian diagonal: AdaHesScale
fn moved_moment(four: Fours) -> vec4<f32> {
    let old = second_moment(four.i, four.vectors);
    let v = hyper.beta2 * old + (1.0 - hyper.beta2) * four.d * four.d;
    set_second_moment(four.i, four.vectors, v);
    return v;
}
