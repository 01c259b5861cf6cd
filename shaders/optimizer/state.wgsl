// What the host decides (it may rewrite this between submissions), what the GPU counts, whether something written was not finite,
// and the moments: one buffer of words, floats by their bits.

struct Memory {
    decided: array<vec4<u32>, 2>, // Hyper
    counted: vec4<u32>, // Counters
    // 0, or FIRST_STEP less the first step whose update wrote a parameter or a second moment that is not finite. So the largest
    // word is the earliest step's, and a float by its bits. A rule that counts no steps says FIRST_STEP.
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
    s: u32, // steps on which the second moment moved
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
