// z ← γλ z + g;  step = δ x,  x = z. beta1 is γλ, or 0 where an episode begins; gamma is δ.
fn bounded(four: Fours) -> vec4<f32> {
    var z = first_moment(four.i);
    if !MOVED {
        z = hyper.beta1 * z + four.g;
        set_first_moment(four.i, z);
    }
    return z;
}

fn step_of(four: Fours) -> vec4<f32> {
    return hyper.gamma * bounded(four);
}
