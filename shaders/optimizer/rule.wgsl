// An optimiser step on four parameters θ, number i of the model's `vectors` vec4s:
//
//     θ ← θ - η λ θ  (decoupled weight decay),  then  θ ← θ - η step(g)
//
// A kernel must call take_hyper before its first step. Plug: step_of (sgd | adaptive).

struct Fours {
    i: u32,
    vectors: u32,
    g: vec4<f32>, // gradient
    d: vec4<f32>, // diagonal, if the rule uses it
}

// Read once per invocation. In a loop the compiler would reload them, because stores may alias the buffer.
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

// Reports a non-finite value to the host. It tests bits, because compilers may evaluate comparisons with NaN either way.
fn tell_of(written: vec4<f32>) {
    let exponent = vec4<u32>(0x7f800000u);
    if any((bitcast<vec4<u32>>(written) & exponent) == exponent) {
        atomicMax(&memory.diverged, FIRST_STEP - min(counters.t, FIRST_STEP - 1u));
    }
}
