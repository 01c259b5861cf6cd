// c = β₁ m + (1-β₁) g;  m ← β₂ m + (1-β₂) g;  step = sign(c), or c where that is not finite, so that it is told
fn step_of(four: Fours) -> vec4<f32> {
    let m = first_moment(four.i);
    let c = hyper.beta1 * m + (1.0 - hyper.beta1) * four.g;
    set_first_moment(four.i, hyper.beta2 * m + (1.0 - hyper.beta2) * four.g);
    let exponent = vec4<u32>(0x7f800000u);
    return select(sign(c), c, (bitcast<vec4<u32>>(c) & exponent) == exponent);
}
