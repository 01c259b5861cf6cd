// m ← β₁ m + (1-β₁) g;  v ← β₂ v + (1-β₂) d;  step = m / max(γ v, ε)
// Plug: moved_moment (signed_diagonal | no_update).

fn step_of(four: Fours) -> vec4<f32> {
    let m = hyper.beta1 * first_moment(four.i) + (1.0 - hyper.beta1) * four.g;
    set_first_moment(four.i, m);
    let v = moved_moment(four);
    tell_of(v);
    let taken = m / max(hyper.gamma * v, vec4<f32>(hyper.eps));
    return taken * select(0.0, 1.0, counters.v_scale > 0.0);
}
