// z ← γλ z + g;  v ← β₂ v + (1-β₂) (δ z)²;  step = δ x,  x = z / √(v̂ + ε).
// beta1 is γλ, or 0 where an episode begins; gamma is δ.
fn bounded(four: Fours) -> vec4<f32> {
    var z = first_moment(four.i);
    var v = second_moment(four.i, four.vectors);
    if !MOVED {
        z = hyper.beta1 * z + four.g;
        set_first_moment(four.i, z);
        v = move_second_moment(four, hyper.gamma * z);
        tell_of(v);
    }
    return z / sqrt(counters.v_scale * v + hyper.eps);
}

fn step_of(four: Fours) -> vec4<f32> {
    return hyper.gamma * bounded(four);
}
