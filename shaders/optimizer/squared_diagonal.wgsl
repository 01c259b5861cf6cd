// v ← β₂ v + (1-β₂) d², d the Hessian diagonal: AdaHesScale
fn moved_moment(four: Fours) -> vec4<f32> {
    return move_second_moment(four, four.d);
}
