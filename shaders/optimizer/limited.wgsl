// A limited step on four parameters θ, number i of the model's `vectors` vec4s, at the learning rate r η and the decay λ of their
// block, F and f the factors of the whole step (1 unless a limit sets them):
//
//     θ ← θ - r η λ θ,  then  θ ← θ - f r η clip(step(F clip(g)))        θ̄ ← κ θ̄ + (1-κ) θ, if AVERAGED
//
// A block that is frozen stays as it is, and so do its moments. MOVED: the moments have moved already, in `term_of`.
// A kernel must call take_hyper before its first step.
// Plug: step_of (sgd | adaptive | direct | sophia | rmsprop | lion | obgd | obgd_adaptive | upgd).

var<private> limits: Limits;

fn take_hyper() {
    hyper = read_hyper();
    counters = read_counters();
    limits = read_limits();
    if MOVED {
        // m ← 1 m + 0 g
        hyper.beta1 = 1.0;
    }
}

fn updated(four: Fours, theta: vec4<f32>) -> vec4<f32> {
    let block = block_of(four.i, four.vectors);
    if block.trained == 0.0 {
        return theta;
    }
    let rate = block.rate * hyper.learning_rate;
    let step = limited_step(four);
    let next = theta * (1.0 - rate * block.weight_decay) - limits.step_factor * (rate * step);
    tell_of(next);
    if AVERAGED {
        let at = MOMENTS * four.vectors + four.i;
        let average = bitcast<vec4<f32>>(memory.moments[at]);
        memory.moments[at] = bitcast<vec4<u32>>(limits.average * average + (1.0 - limits.average) * next);
    }
    return next;
}

fn limited_step(four: Fours) -> vec4<f32> {
    let g = limits.gradient_factor * clip(four.g, limits.gradient);
    return clip(step_of(Fours(four.i, four.vectors, g, four.d)), limits.update);
}
