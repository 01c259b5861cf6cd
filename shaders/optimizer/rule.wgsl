// A step of the optimiser on four parameters θ, i which of the model's `vectors` fours:
//
//     θ ← θ - η λ θ  (decoupled weight decay),  then  θ ← θ - η step(g)
//
// A kernel calls take_hyper before its first step. Plug: step_of (sgd | adaptive).

struct Fours {
    i: u32,
    vectors: u32,
    g: vec4<f32>, // gradient
    d: vec4<f32>, // diagonal, where the rule reads it
}

// Read once an invocation, not once for each four: what is stored might lie in the same buffer.
var<private> hyper: Hyper;
var<private> counters: Counters;

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

// What is not finite is told to the host, by its bits: a compiler may take a comparison for anything.
fn tell_of(written: vec4<f32>) {
    let exponent = vec4<u32>(0x7f800000u);
    if any((bitcast<vec4<u32>>(written) & exponent) == exponent) {
        atomicMax(&memory.diverged, FIRST_STEP - min(counters.t, FIRST_STEP - 1u));
    }
}
