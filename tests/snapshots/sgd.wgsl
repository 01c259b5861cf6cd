const LANES: u32 = 64u;
const MEMORY: u32 = 1u;
const NESTEROV: bool = false;

// optimizer/optimizer.wgsl
// θ_i ← updated(θ_i, g_i, d_i): one optimiser step over a range of parameters, four per invocation. Plugs: updated (rule),
// diagonal_at (diagonal | no_diagonal).

struct UpdateParams {
    vectors: u32, // of the whole model
    grid_x: u32,
    first: u32, // start of the range, and its length
    n: u32,
}

@group(0) @binding(0) var<uniform> p: UpdateParams;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> gradient: array<vec4<f32>>;

fn each(at: u32) {
    take_hyper();
    let i = p.first + at;
    parameters[i] = updated(Fours(i, p.vectors, gradient[i], diagonal_at(i)), parameters[i]);
}

// lib/each.wgsl
// each(i) for every i below `n`, one invocation each. Plugs: p, the parameters; each.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        each(i);
    }
}

// optimizer/no_diagonal.wgsl
// diagonal_at(i) = 0: the rule does not use the diagonal.
fn diagonal_at(i: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}

// optimizer/state.wgsl
// The optimiser's state in one buffer of words, floats as bits: hyper-parameters (the host may rewrite them between submissions),
// counters kept by the GPU, the divergence word, and the moments.

struct Memory {
    decided: array<vec4<u32>, 2>, // Hyper
    counted: vec4<u32>, // Counters
    // 0, or FIRST_STEP minus the first step whose update wrote a non-finite parameter or second moment. So the earliest step has
    // the largest word, and the word is a finite float by its bits. A rule that counts no steps writes FIRST_STEP.
    diverged: atomic<u32>,
    unused: array<vec4<u32>, 12>,
    moments: array<vec4<u32>>, // the first, then the second
}

const FIRST_STEP: u32 = 0x3fffffffu;

struct Hyper {
    learning_rate: f32,
    weight_decay: f32,
    beta1: f32, // SGD: momentum
    beta2: f32,
    ln_beta1: f32,
    ln_beta2: f32,
    eps: f32,
    unused: f32,
}

struct Counters {
    t: u32, // steps
    s: u32, // steps that updated the second moment
    m_scale: f32,
    v_scale: f32,
}

@group(0) @binding(MEMORY) var<storage, read_write> memory: Memory;

fn read_hyper() -> Hyper {
    let a = bitcast<vec4<f32>>(memory.decided[0]);
    let b = bitcast<vec4<f32>>(memory.decided[1]);
    return Hyper(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}

fn read_counters() -> Counters {
    let words = memory.counted;
    return Counters(words.x, words.y, bitcast<f32>(words.z), bitcast<f32>(words.w));
}

fn write_counters(c: Counters) {
    memory.counted = vec4<u32>(c.t, c.s, bitcast<u32>(c.m_scale), bitcast<u32>(c.v_scale));
}

fn first_moment(i: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(memory.moments[i]);
}

fn set_first_moment(i: u32, m: vec4<f32>) {
    memory.moments[i] = bitcast<vec4<u32>>(m);
}

// optimizer/rule.wgsl
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

// optimizer/sgd.wgsl
// b ← μ b + g;  step = b, or g + μ b (Nesterov)
fn step_of(four: Fours) -> vec4<f32> {
    let b = hyper.beta1 * first_moment(four.i) + four.g;
    set_first_moment(four.i, b);
    if NESTEROV {
        return four.g + hyper.beta1 * b;
    }
    return b;
}
