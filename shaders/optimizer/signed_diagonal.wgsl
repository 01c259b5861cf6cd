// v ← β₂ v + (1-β₂) d, d the Hessian diagonal: Sophia
fn moved_moment(four: Fours) -> vec4<f32> {
    return move_mean(four, four.d);
}
