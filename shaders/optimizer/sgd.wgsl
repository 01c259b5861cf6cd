// b ← μ b + g;  step = b, or g + μ b (Nesterov)
fn step_of(four: Fours) -> vec4<f32> {
    let b = hyper.beta1 * first_moment(four.i) + four.g;
    set_first_moment(four.i, b);
    if NESTEROV {
        return four.g + hyper.beta1 * b;
    }
    return b;
}
