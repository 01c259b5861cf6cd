// What the host decides (it may rewrite this between submissions), what the GPU counts, and the moments: one buffer of words,
// floats by their bits. Vectors 0 and 1: Hyper; 2: Counters; from FIRST on the first moment, then the second.

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

const FIRST: u32 = 16u;

@group(0) @binding(MEMORY) var<storage, read_write> memory: array<vec4<u32>>;

fn read_hyper() -> Hyper {
    let a = bitcast<vec4<f32>>(memory[0]);
    let b = bitcast<vec4<f32>>(memory[1]);
    return Hyper(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}

fn read_counters() -> Counters {
    let words = memory[2];
    return Counters(words.x, words.y, bitcast<f32>(words.z), bitcast<f32>(words.w));
}

fn write_counters(c: Counters) {
    memory[2] = vec4<u32>(c.t, c.s, bitcast<u32>(c.m_scale), bitcast<u32>(c.v_scale));
}

fn first_moment(i: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(memory[FIRST + i]);
}

fn set_first_moment(i: u32, m: vec4<f32>) {
    memory[FIRST + i] = bitcast<vec4<u32>>(m);
}
