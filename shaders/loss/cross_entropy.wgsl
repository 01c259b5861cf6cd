// Softmax cross-entropy of one row (a position of a sample) and the signal that starts the backward pass; c: the reduction factor.
//
//     y_i = w_i ((1-ε) t_i + ε m_t / C)      m = Σ y      p = softmax(z)
//     value = -c Σ y log p      g = c (m p - y)      h = c m (p - p²)      (BL89: h = c y (p - p²))
//
// HesScale-R extracts vectors u from c m (diag p - p pᵀ): see `Leading`. The last one is random in HesScale-S. If m is not
// positive there are none; h holds all.
// Planes of the signal: 0 g; 1 d = h + Σ u²; with RANK > 0: 2 h, 3 … u. With softmax.wgsl. Plugs: draw_of, drawn (drawn | not_drawn).

// Row n, by the LANES invocations that share it; its signal is written if `real`. A non-finite logit makes the loss and the row's g
// and d NaN.
fn loss_of_row(n: u32, real: bool, lane: vec3<u32>) -> f32 {
    let at = row_at(n);
    let goal = goal_of(n, at, lane);
    row_counts = goal.class_index < p.outputs;
    let s = softmax(at, lane);
    var leading: Leading;
    if LEADING > 0u {
        leading = leading_of(s, at, lane);
    }
    var draw: Draw;
    if SAMPLED {
        draw = draw_of(n, s, leading, at, lane);
    }

    let factor = hs_nan_where(s.spoilt, p.factor);
    let scale = factor * goal.mass;
    // Only positive curvature has vectors; other curvature stays in h.
    let has_vectors = scale > 0.0;
    let root = sqrt(max(scale, 0.0));
    var value = 0.0;
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = 0.0;
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            let z = logit_seen(at, c);
            let y = effective(goal, element(at, c), c);
            let prob = probability(s, c, z);
            run += y * (s.log_sum + (s.top.value.x - z));
            if real {
                // m p - y, arranged to avoid cancellation when a confident prediction is right.
                let g = factor * (prob.x * (goal.mass - y) - y * prob.y);
                put(0u, at, c, g);
                if FISHER {
                    put_fisher(at, c, g);
                } else if HAS_DIAGONAL {
                    put(1u, at, c, select(scale, factor * y, BL89) * prob.x * prob.y);
                }
                if RANK > 0u && !FISHER {
                    let parts = split(n, s, leading, draw, c, z);
                    put(2u, at, c, scale * select(prob.x * prob.y, parts.x, has_vectors));
                    put(3u, at, c, root * parts.y);
                    if RANK > 1u {
                        put(4u, at, c, root * parts.z);
                    }
                }
            }
        }
        value += run;
    }
    return factor * row_sum(vec4<f32>(value), lane).x;
}

// ---- HesScale-R ----
//
// A Nyström step at H = diag p - p pᵀ: a = H e, w = H a, u = w / √(a·w), and H - u uᵀ remains. First e at T, then at S.
// Sums are over the classes but T. With Q = Σ q², V = Σ q³ - Q², K = V + p_T (1 + Q)² and v_i = q_i - Q + p_T (1 + Q):
//
//     u_T = √(r / K) p_T (1 + Q)      u_i = -√(r / K) q_i v_i      h_T = (r / K) p_T V      h_i = (r / K) q_i δ_i
//     δ_i = (1 - r q_i) V - q_i (q_i - Q)² + p_T (1 + Q) (1 + q_i) (1 - 2 q_i + Q)
//
// The remainder is (r / K) (K diag q - q qᵀ ∘ (r K + v vᵀ)) among the classes but T. Its rows sum to 0, which determines T's.
// So for the second step, with a scaled to a_S = 1, b = a - a_T, and w without its factor r / K:
//
//     a_i = -q_i (r K + v_S v_i) / δ_S      a_T = -p_T (V - (1 + Q) (q_S - Q)) / δ_S
//     w_i = q_i (K b_i - r K Σ q b - v_i Σ q v b)      w_T = -Σ w      a·w = Σ b w      u = √(r / K) w / √(a·w)
//
// Nothing here underflows with r. Where S outweighs the classes after it and the remainder is small, the small differences
// (q_S - Q, V, 1 - 2 q_S + Q, w_S) are computed as sums over the classes after S: the cancellation was done analytically.

struct Leading {
    k: f32, // K
    root: f32, // √(r / K)
    squares: f32, // Q
    gap: f32, // q_S - Q
    spread: f32, // V
    pull: f32, // p_T (1 + Q)
    rest_s: f32, // δ_S
    // Of the second step:
    inverse: f32, // 1 / δ_S, or 0 if nothing remains
    a_t: f32,
    qb: f32, // Σ q b
    qvb: f32, // Σ q v b
    w_t: f32,
    w_s: f32,
    root2: f32, // √(r / K) / √(a·w)
}

fn leading_of(s: Softmax, at: u32, lane: vec3<u32>) -> Leading {
    var l: Leading;
    l.gap = (s.powers.x - s.powers.y) * s.q * s.q;
    l.squares = s.q - l.gap;
    l.spread = max((s.powers.x - 2.0 * s.powers.y + s.powers.z) * s.q * s.q * s.q - l.gap * l.gap, 0.0);
    l.pull = s.p * (1.0 + l.squares);
    l.k = l.spread + l.pull * (1.0 + l.squares);
    l.root = sqrt(s.r / l.k);
    l.rest_s = rest(s, l, s.q, l.gap, (s.powers.x * s.powers.x + s.powers.y) * s.q * s.q);
    if LEADING == 1u {
        return l;
    }

    if l.rest_s > 1e-30 {
        l.inverse = 1.0 / l.rest_s;
    }
    l.a_t = -s.p * (l.spread - (1.0 + l.squares) * l.gap) * l.inverse;
    var behind = vec4<f32>(0.0); // Σ q b, Σ q v b, Σ q b² over the classes after S
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = vec4<f32>(0.0);
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            if c != s.top.index.x && c != s.top.index.y {
                let q = among_others(s, logit_seen(at, c));
                let b = second_b(s, l, q);
                run += q * b * vec4<f32>(1.0, tilt(l, q), b, 0.0);
            }
        }
        behind += run;
    }
    behind = row_sum(behind, lane);

    let rk = s.r * l.k;
    let v_s = l.gap + l.pull;
    let b_s = l.rest_s * l.inverse - l.a_t;
    l.qb = behind.x + s.q * b_s;
    l.qvb = behind.y + s.q * v_s * b_s;
    l.w_s = s.q * (l.rest_s * b_s - rk * behind.x - v_s * behind.y);
    let mass = s.powers.x * s.q; // Σ q and Σ q v after S
    let lean = l.pull * mass - s.q * l.gap;
    l.w_t = rk * l.qb * mass + l.qvb * lean - l.k * behind.x - l.w_s;
    let product = b_s * l.w_s + l.k * behind.z - rk * l.qb * behind.x - l.qvb * behind.y;
    l.root2 = l.root / sqrt(max(product, 1e-37));
    return l;
}

// δ, given q - Q and 1 - 2 q + Q
fn rest(s: Softmax, l: Leading, q: f32, gap: f32, distance: f32) -> f32 {
    return (1.0 - s.r * q) * l.spread - q * gap * gap + l.pull * (1.0 + q) * distance;
}

// v and b of a class after S
fn tilt(l: Leading, q: f32) -> f32 {
    return q - l.squares + l.pull;
}

fn second_b(s: Softmax, l: Leading, q: f32) -> f32 {
    return -q * (s.r * l.k + (l.gap + l.pull) * tilt(l, q)) * l.inverse - l.a_t;
}

// (h, u_1, u_2) of one class of row n, for c m = 1
fn split(n: u32, s: Softmax, l: Leading, draw: Draw, c: u32, z: f32) -> vec3<f32> {
    var parts: vec3<f32>;
    if LEADING == 0u {
        let prob = probability(s, c, z);
        parts.x = prob.x * prob.y;
    } else {
        parts = led(s, l, c, z);
    }
    if SAMPLED {
        let v = drawn(n, s, draw, c, z, parts.y);
        parts.x -= v * v;
        parts[RANK] = v;
    }
    return parts;
}

// The same of HesScale-R.
fn led(s: Softmax, l: Leading, c: u32, z: f32) -> vec3<f32> {
    var h: f32;
    var u: vec2<f32>;
    if c == s.top.index.x {
        h = s.r * s.p * l.spread / l.k;
        u = vec2<f32>(l.root * l.pull, l.root2 * l.w_t);
    } else if c == s.top.index.y {
        h = l.root * l.root * s.q * l.rest_s;
        u = vec2<f32>(-l.root * s.q * (l.gap + l.pull), l.root2 * l.w_s);
    } else {
        let q = among_others(s, z);
        let v = tilt(l, q);
        let w = q * (l.k * (second_b(s, l, q) - s.r * l.qb) - v * l.qvb);
        h = l.root * l.root * q * rest(s, l, q, q - l.squares, 1.0 - 2.0 * q + l.squares);
        u = vec2<f32>(-l.root * q * v, l.root2 * w);
    }
    return vec3<f32>(max(h - u.y * u.y, 0.0), u);
}
