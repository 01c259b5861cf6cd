// l = ½ (log v + r²/v),  v = softplus(ρ),  r = μ - t,  q = r²/v;  with s = v'/v and w = v''/v:
//
//     ∂μ: r/v, 1/v      ∂ρ: ½ s (1 - q), ½ s² (2q - 1) + ½ w (1 - q)
//
// For ρ far below zero v = e^ρ, so log v = ρ and s = w = 1. The precision 1/v is capped at e^80, within f32's range.
const HEADS: u32 = 2u;

fn term(mean: f32, rho: f32, t: f32) -> Part {
    let r = mean - t;
    let sigma = hs_sigmoid_pair(rho);
    let v = max(hs_softplus(rho), 1e-30);
    let far = rho < -40.0;
    let log_v = select(hs_log(v), rho, far);
    let inverse = select(1.0 / v, hs_exp(min(-rho, 80.0)), far);
    let s = select(sigma.x / v, 1.0, far);
    let w = s * sigma.y;
    let q = r * (r * inverse);
    let h = 0.5 * (s * s * (2.0 * q - 1.0) + w * (1.0 - q));
    return Part(0.5 * (log_v + q), vec2<f32>(r * inverse, 0.5 * s * (1.0 - q)), vec2<f32>(inverse, h));
}
