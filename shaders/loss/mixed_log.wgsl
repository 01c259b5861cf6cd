// ∂²l/∂μ∂ρ = -r e^-ρ of l = ½ (ρ + r² e^-ρ), r = μ - t; see gaussian_log.wgsl.
fn mixed(n: u32, at: u32, k: u32) -> f32 {
    let count = p.outputs / 2u;
    let r = logit(at, k) - bitcast<f32>(target_bits(n * count + k));
    return -r * hs_exp(min(-logit(at, count + k), 80.0));
}
