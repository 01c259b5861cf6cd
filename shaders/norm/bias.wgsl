// bias_of(c) = β_c
@group(0) @binding(5) var<storage, read> beta: array<f32>;

fn bias_of(channel: u32) -> f32 {
    return beta[channel];
}
