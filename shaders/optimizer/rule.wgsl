// An optimiser step on four parameters θ, number i of the model's `vectors` vec4s:
//
//     θ ← θ - η λ θ  (decoupled weight decay),  then  θ ← θ - η step(g)
//
// A kernel must call take_hyper before its first step. Plug: step_of (sgd | adaptive | direct | sophia | rmsprop | lion).

fn take_hyper() {
    hyper = read_hyper();
    counters = read_counters();
}

fn updated(four: Fours, theta: vec4<f32>) -> vec4<f32> {
    let decayed = theta * (1.0 - hyper.learning_rate * hyper.weight_decay);
    let next = decayed - hyper.learning_rate * step_of(four);
    tell_of(next);
    return next;
}
