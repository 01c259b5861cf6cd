// PPO over a softmax, with an entropy bonus ENTROPY · H, H = -Σ p log p. A target is the action a, its old log-probability and the
// advantage. With T the likeliest class, d = z - z_T, F = Σ e^d and E = -Σ d e^d over the others, m = E / (1 + F):
//
//     p_T = 1 / (1 + F)      log p = d - log(1 + F)      H = log(1 + F) + m      log p + H = d + m
//     s_j = δ_aj - p_j       s'_j = -p_j (1 - p_j)
//     g_j = force s_j + ENTROPY p_j (d_j + m)
//     h_j = force (s_j² + s'_j) + ENTROPY p_j ((1 - 2 p_j)(d_j + m) + 1 - p_j)
//
// Plugs: surrogate.
const HEADS: u32 = 1u;

struct Policy {
    action: u32,
    top: u32,
    z: f32, // of T
    p: f32, // of T
    rest: f32, // 1 - p
    mean: f32, // m
    value: f32, // of the whole row
    force: f32,
    spoilt: bool, // a logit or a target is not finite, or the action is none
}

var<private> policy: Policy;

fn below(at: u32, c: u32) -> f32 {
    return max(logit(at, c) - policy.z, -3e38);
}

fn read_row(n: u32, at: u32, lane: vec3<u32>) {
    var top = top_above(-3e38);
    for (var c = lane.x; c < p.outputs; c += LANES) {
        top = top_with(top, logit(at, c), c);
    }
    top = row_top(top, lane);
    policy.top = top.index.x;
    policy.z = top.value.x;

    var sums = vec4<f32>(0.0); // F, E, logits that are not finite
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = vec4<f32>(0.0);
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            run.z += select(1.0, 0.0, hs_is_finite(logit(at, c)));
            if c != policy.top {
                let d = below(at, c);
                let e = hs_exp(d);
                run += vec4<f32>(e, -d * e, 0.0, 0.0);
            }
        }
        sums += run;
    }
    sums = row_sum(sums, lane);
    policy.p = 1.0 / (1.0 + sums.x);
    policy.rest = sums.x * policy.p;
    policy.mean = sums.y * policy.p;
    let log_sum = hs_log1p(sums.x);

    let action = bitcast<f32>(target_bits(3u * n));
    let old = bitcast<f32>(target_bits(3u * n + 1u));
    let advantage = bitcast<f32>(target_bits(3u * n + 2u));
    policy.action = u32(clamp(action, 0.0, f32(p.outputs - 1u)));
    let known = hs_is_finite(action) && f32(policy.action) == action;
    policy.spoilt = sums.z > 0.0 || !known || !hs_is_finite(old) || !hs_is_finite(advantage);
    let of_action = surrogate(below(at, policy.action) - log_sum - old, advantage);
    policy.value = of_action.x - ENTROPY * (log_sum + policy.mean);
    policy.force = of_action.y;
}

fn part(n: u32, at: u32, c: u32) -> Part {
    let d = below(at, c);
    var prob = policy.p * hs_exp(d);
    var rest = 1.0 - prob;
    if c == policy.top {
        prob = policy.p;
        rest = policy.rest;
    }
    let s = select(-prob, rest, c == policy.action);
    let surprise = d + policy.mean;
    let bonus = ENTROPY * prob;
    let value = hs_nan_where(policy.spoilt, select(0.0, policy.value, c == 0u));
    let g = hs_nan_where(policy.spoilt, policy.force * s + bonus * surprise);
    let second = policy.force * (s * s - prob * rest);
    let h = hs_nan_where(policy.spoilt, second + bonus * ((rest - prob) * surprise + rest));
    return Part(value, vec2<f32>(g, 0.0), vec2<f32>(h, 0.0));
}
