// l = ½ (ρ + r² e^-ρ),  r = μ - t:  ∂μ: r e^-ρ, e^-ρ;  ∂ρ: ½ (1 - r² e^-ρ), ½ r² e^-ρ
// The precision e^-ρ is held at e^80, where f32 ends.
const HEADS: u32 = 2u;

fn term(mean: f32, rho: f32, t: f32) -> Term {
    let r = mean - t;
    let precision = hs_exp(min(-rho, 80.0));
    let q = r * (r * precision);
    return Term(0.5 * (rho + q), vec2<f32>(r * precision, 0.5 * (1.0 - q)), vec2<f32>(precision, 0.5 * q));
}
