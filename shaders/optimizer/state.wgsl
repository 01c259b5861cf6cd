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
    beta1: f32, // SGD: momentum; ObGD: γλ; UPGD: β
    beta2: f32,
    ln_beta1: f32,
    ln_beta2: f32,
    eps: f32, // UPGD: the noise's deviation
    gamma: f32, // Sophia's γ; ObGD's δ
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
