// The softmax and the target of a row of logits z, which cross-entropies share.
//
// Everything is relative to the most likely class T and the second, S, so that nothing overflows or cancels at logits of any
// size. For all classes but T, f_i = e^(z_i - z_S) is at most 1, F = Σ f and q = f / F. Then
//
//     e = e^(z_S - z_T)      p_T = 1 / (1 + e F)      r = 1 - p_T = e F p_T      p_i = r q_i
//
// Plugs: class_weight and WEIGHTED; access to rows.

// Whether the current row counts. The logits of an ignored row are read as 0, whatever they are, so it contributes exactly 0.
var<private> row_counts: bool;

fn logit_seen(at: u32, c: u32) -> f32 {
    if row_counts {
        return logit(at, c);
    }
    return 0.0;
}

// ---- The softmax ----

struct Softmax {
    top: Top, // the logits and indices of T and S
    p: f32, // of T
    r: f32, // 1 - p
    q: f32, // of S, which is 1 / F
    log_sum: f32, // log(1 + e F)
    powers: vec3<f32>, // Σ f, Σ f², Σ f³ over the classes other than T and S
    spoilt: bool, // a logit is not finite
}

fn softmax(at: u32, lane: vec3<u32>) -> Softmax {
    var top = top_above(-3e38);
    for (var c = lane.x; c < p.outputs; c += LANES) {
        top = top_with(top, logit_seen(at, c), c);
    }
    top = row_top(top, lane);

    var powers = vec4<f32>(0.0);
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = vec4<f32>(0.0);
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            let z = logit_seen(at, c);
            run.w += select(1.0, 0.0, hs_is_finite(z));
            if c != top.index.x && c != top.index.y {
                let f = hs_exp(z - top.value.y);
                run += vec4<f32>(f, f * f, f * f * f, 0.0);
            }
        }
        powers += run;
    }
    powers = row_sum(powers, lane);

    // With a single class there is no S: z_S is very low, and e is 0.
    let sum = 1.0 + powers.x;
    let others = hs_exp(top.value.y - top.value.x) * sum;
    let prob = 1.0 / (1.0 + others);
    return Softmax(top, prob, others * prob, 1.0 / sum, hs_log1p(others), powers.xyz, powers.w > 0.0);
}

// q of a class other than T
fn among_others(s: Softmax, z: f32) -> f32 {
    return s.q * hs_exp(z - s.top.value.y);
}

// (p, 1 - p)
fn probability(s: Softmax, c: u32, z: f32) -> vec2<f32> {
    if c == s.top.index.x {
        return vec2<f32>(s.p, s.r);
    }
    let prob = s.r * among_others(s, z);
    return vec2<f32>(prob, 1.0 - prob);
}

// ---- The target ----

struct Goal {
    class_index: u32, // NO_INDEX if the row is ignored; everything is exactly 0 then
    even: f32, // ε m_t / C
    mass: f32, // m
}

fn goal_of(n: u32, at: u32, lane: vec3<u32>) -> Goal {
    var goal: Goal;
    if !SOFT_TARGETS {
        goal.class_index = target_bits(n);
        if p.has_ignore != 0u && goal.class_index == p.ignore {
            goal.class_index = NO_INDEX;
        }
    }
    let counts = f32(goal.class_index < p.outputs);
    var sums = vec4<f32>(counts, counts, f32(p.outputs), 0.0); // Σ t, Σ w t, Σ w
    if SOFT_TARGETS || WEIGHTED {
        sums = vec4<f32>(0.0);
        for (var start = lane.x; start < p.outputs; start += RUN) {
            var run = vec4<f32>(0.0);
            for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
                let t = target_at(goal, element(at, c), c);
                let w = class_weight(c);
                run += vec4<f32>(t, w * t, w, 0.0);
            }
            sums += run;
        }
        sums = row_sum(sums, lane);
    }
    goal.even = p.smoothing * sums.x / f32(p.outputs);
    goal.mass = (1.0 - p.smoothing) * sums.y + goal.even * sums.z;
    return goal;
}

// t: the one-hot class, or the given distribution.
fn target_at(goal: Goal, i: u32, c: u32) -> f32 {
    if SOFT_TARGETS {
        return bitcast<f32>(target_bits(i));
    }
    return f32(c == goal.class_index);
}

// y
fn effective(goal: Goal, i: u32, c: u32) -> f32 {
    return class_weight(c) * ((1.0 - p.smoothing) * target_at(goal, i, c) + goal.even);
}
