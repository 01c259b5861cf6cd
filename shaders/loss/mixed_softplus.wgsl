// ∂²l/∂μ∂ρ = -r s / v of l = ½ (log v + r²/v), s = v'/v; see gaussian_softplus.wgsl.
fn mixed(n: u32, at: u32, k: u32) -> f32 {
    let count = p.outputs / 2u;
    let r = logit(at, k) - bitcast<f32>(target_bits(n * count + k));
    let rho = logit(at, count + k);
    let v = max(hs_softplus(rho), 1e-30);
    let far = rho < -40.0;
    let inverse = select(1.0 / v, hs_exp(min(-rho, 80.0)), far);
    return -r * inverse * select(hs_sigmoid_pair(rho).x / v, 1.0, far);
}
