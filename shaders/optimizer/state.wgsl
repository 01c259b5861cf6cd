// What the host decides (it may rewrite this between submissions), and what the GPU counts.

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
