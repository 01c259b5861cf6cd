// PPO over K independent Gaussians: means μ, then logarithms ρ of variances, with an entropy bonus ENTROPY · H. A target is K actions
// a, their old log-probability and the advantage. With d = a - μ, q = d² e^-ρ and λ = log 2π:
//
//     log π = -½ Σ (q + ρ + λ)      s_μ = d e^-ρ          s'_μ = -e^-ρ
//     H = ½ Σ (ρ + 1 + λ)           s_ρ = ½ (q - 1)       s'_ρ = -½ q
//     g = force s, and -½ ENTROPY more along ρ            h = force (s² + s')
//
// The precision e^-ρ is capped at e^80, within f32's range. Plugs: surrogate.
const HEADS: u32 = 2u;
const LOG_2_PI: f32 = 1.8378770664;

struct Policy {
    value: f32, // of the whole row
    force: f32,
    spoilt: bool, // an output or a target is not finite
}

var<private> policy: Policy;

// d, e^-ρ, q, ρ
fn dimension(n: u32, at: u32, k: u32) -> vec4<f32> {
    let count = p.outputs / 2u;
    let rho = logit(at, count + k);
    let d = bitcast<f32>(target_bits(n * (count + 2u) + k)) - logit(at, k);
    let inverse = hs_exp(min(-rho, 80.0));
    return vec4<f32>(d, inverse, d * (d * inverse), rho);
}

fn read_row(n: u32, at: u32, lane: vec3<u32>) {
    let count = p.outputs / 2u;
    var sums = vec4<f32>(0.0); // Σ (q + ρ + λ), Σ (ρ + 1 + λ), what is not finite
    for (var start = lane.x; start < count; start += RUN) {
        var run = vec4<f32>(0.0);
        for (var k = start; k < min(start + RUN, count); k += LANES) {
            let x = dimension(n, at, k);
            let finite = hs_is_finite(x.x) && hs_is_finite(x.w);
            run += vec4<f32>(x.z + x.w + LOG_2_PI, x.w + 1.0 + LOG_2_PI, select(1.0, 0.0, finite), 0.0);
        }
        sums += run;
    }
    sums = row_sum(sums, lane);
    let old = bitcast<f32>(target_bits(n * (count + 2u) + count));
    let advantage = bitcast<f32>(target_bits(n * (count + 2u) + count + 1u));
    policy.spoilt = sums.z > 0.0 || !hs_is_finite(old) || !hs_is_finite(advantage);
    let of_action = surrogate(-0.5 * sums.x - old, advantage);
    policy.value = of_action.x - ENTROPY * 0.5 * sums.y;
    policy.force = of_action.y;
}

// Without a force there is nothing, even where s overflows.
fn pushed(x: vec2<f32>) -> vec2<f32> {
    if policy.force == 0.0 {
        return vec2<f32>(0.0);
    }
    return policy.force * x;
}

fn part(n: u32, at: u32, k: u32) -> Part {
    let x = dimension(n, at, k);
    let s = 0.5 * (x.z - 1.0);
    let mean = pushed(vec2<f32>(x.x * x.y, x.y * (x.z - 1.0)));
    let head = pushed(vec2<f32>(s, s * s - 0.5 * x.z));
    let spoilt = policy.spoilt;
    let value = hs_nan_where(spoilt, select(0.0, policy.value, k == 0u));
    let g = vec2<f32>(hs_nan_where(spoilt, mean.x), hs_nan_where(spoilt, head.x - 0.5 * ENTROPY));
    let h = vec2<f32>(hs_nan_where(spoilt, mean.y), hs_nan_where(spoilt, head.y));
    return Part(value, g, h);
}
