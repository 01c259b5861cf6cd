// weight_of(c) = γ_c
@group(0) @binding(WEIGHT_BINDING) var<storage, read> gamma: array<f32>;

fn weight_of(channel: u32) -> f32 {
    return gamma[channel];
}
