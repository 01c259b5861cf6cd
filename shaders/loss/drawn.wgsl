// The random vector of HesScale-S at a softmax, for c m = 1, with H = B Bᵀ and random signs s:
//
//     v = B (1 - q qᵀ) s      B = diag √p - p √pᵀ      v_i = √p_i (s_i (1 - p_i) - √p_i Σ_{j≠i} √p_j s_j) - u_i (q·s)
//
// where u = B q is HesScale-R's vector, if there is one. As u = p ∘ (a - p·a) for some a, q = √p ∘ (a - p·a): in the terms of
// `Leading`, q_T = √(r p_T / K) (1 + Q) and q_i = -√(f_i / K) v_i, with f_i for what is q_i there. With signs.wgsl.

struct Draw {
    below: f32, // Σ √p s over the classes but T
    top: f32, // √p_T s_T
    along: f32, // q·s
}

fn draw_of(n: u32, s: Softmax, l: Leading, at: u32, lane: vec3<u32>) -> Draw {
    let top = sign_of(n, s.top.index.x);
    let root = sqrt(s.r);
    let inverse = inverseSqrt(max(l.k, 1e-30)); // 1 / √K
    var sums = vec4<f32>(0.0); // Σ √p s and Σ q s over the classes but T
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = vec4<f32>(0.0);
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            if c != s.top.index.x {
                let f = among_others(s, logit_seen(at, c));
                run += sign_of(n, c) * sqrt(f) * vec4<f32>(root, -inverse * tilt(l, f), 0.0, 0.0);
            }
        }
        sums += run;
    }
    sums = row_sum(sums, lane);
    var draw = Draw(sums.x, sqrt(s.p) * top, 0.0);
    if LEADING > 0u {
        draw.along = sums.y + top * root * sqrt(s.p) * (1.0 + l.squares) * inverse;
    }
    return draw;
}

// v of one class, given its u.
fn drawn(n: u32, s: Softmax, draw: Draw, c: u32, z: f32, u: f32) -> f32 {
    let prob = probability(s, c, z);
    let sign = sign_of(n, c);
    if c == s.top.index.x {
        return sqrt(prob.x) * (sign * prob.y - sqrt(prob.x) * draw.below) - u * draw.along;
    }
    let root = sqrt(s.r) * sqrt(among_others(s, z));
    return root * (sign * prob.y - root * (draw.below - root * sign + draw.top)) - u * draw.along;
}
