// l = ½ (ρ + r² e^-ρ),  r = μ - t:  ∂μ: r e^-ρ, e^-ρ;  ∂ρ: ½ (1 - r² e^-ρ), ½ r² e^-ρ
// The precision e^-ρ is capped at e^80, within f32's range.
const HEADS: u32 = 2u;

fn term(mean: f32, rho: f32, t: f32) -> Part {
    let r = mean - t;
    let inverse = hs_exp(min(-rho, 80.0));
    let q = r * (r * inverse);
    return Part(0.5 * (rho + q), vec2<f32>(r * inverse, 0.5 * (1.0 - q)), vec2<f32>(inverse, 0.5 * q));
}
