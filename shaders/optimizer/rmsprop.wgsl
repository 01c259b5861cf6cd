// v ← β₂ v + (1-β₂) g²;  b ← μ b + g / (√v + ε);  step = b
fn step_of(four: Fours) -> vec4<f32> {
    let v = move_second_moment(four, four.g);
    tell_of(v);
    let b = hyper.beta1 * first_moment(four.i) + four.g / (sqrt(v) + hyper.eps);
    set_first_moment(four.i, b);
    return b;
}
