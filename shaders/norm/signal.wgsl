// The signal below z = γ x̂ + β over each group of n numbers, all of whose outputs depend on all of its inputs (norm/forward). With
// G = γ g, H = γ² h, U = γ u, and c = 1, or 0 for RMS normalisation:
//
//     g_i = (G_i - c ΣG/n - x̂_i ΣG x̂/n) / s      u_i the same of U
//     h_i = [H_i (1 - 2c/n - 2 x̂_i²/n) + (c ΣH + 2c x̂_i ΣH x̂ + x̂_i² ΣH x̂²)/n²] / s²
//           - [2 x̂_i g_i + (1 - c/n - x̂_i²/n)/s · ΣG x̂] / (n s)      Gauss-Newton: without this line
//
// Grid as in norm/forward. Plug: weight_of.

@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> statistics: array<vec4<f32>>;

// Means over a group.
struct Means {
    g: vec4<f32>, // of G, G x̂, U₁, U₁ x̂
    h: vec4<f32>, // of H, H x̂, H x̂²
    u: vec4<f32>, // of U₂, U₂ x̂
}

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let k = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let place = place_of(min(k, p.n - 1u));
    let kept = statistics[min(k, p.n - 1u)];
    let means = means_of(place, kept, lane);
    if k < p.n {
        var w = walk(lane.x, place.columns);
        for (var j = lane.x; j < p.positions * place.columns; j += LANES) {
            let i = place.first + w.at.x * p.stride + w.at.y;
            var s = Signal();
            if w.at.y < p.width {
                s = through(scaled(i, place.channel + w.at.y), hat(i, kept), kept.z, means);
            }
            leave(i, s);
            advance(&w);
        }
    }
}

fn hat(i: u32, kept: vec4<f32>) -> f32 {
    return standardized(f32(x[i]), kept.x, kept.y, kept.z);
}

// (G, H, U) of an element.
fn scaled(i: u32, channel: u32) -> Signal {
    return gather(Signal(), above_at(i), weight_of(channel));
}

fn means_of(place: Place, kept: vec4<f32>, lane: vec3<u32>) -> Means {
    let count = p.positions * p.width;
    var g = vec4<f32>(0.0);
    var h = vec4<f32>(0.0);
    var u = vec4<f32>(0.0);
    var w = walk(lane.x, p.width);
    for (var start = lane.x; start < count; start += RUN) {
        var run_g = vec4<f32>(0.0);
        var run_h = vec4<f32>(0.0);
        var run_u = vec4<f32>(0.0);
        for (var j = start; j < min(start + RUN, count); j += LANES) {
            let i = place.first + w.at.x * p.stride + w.at.y;
            let t = scaled(i, place.channel + w.at.y);
            let r = hat(i, kept);
            var first = vec4<f32>(t.g, t.g * r, 0.0, 0.0);
            if RANK > 0u {
                first = vec4<f32>(first.xy, t.u[0], t.u[0] * r);
            }
            run_g += first;
            if HAS_DIAGONAL {
                run_h += t.h * vec4<f32>(1.0, r, r * r, 0.0);
            }
            if RANK > 1u {
                run_u += t.u[U - 1u] * vec4<f32>(1.0, r, 0.0, 0.0);
            }
            advance(&w);
        }
        g += run_g;
        h += run_h;
        u += run_u;
    }
    g = row_sum(g, lane);
    if HAS_DIAGONAL {
        h = row_sum(h, lane);
    }
    if RANK > 1u {
        u = row_sum(u, lane);
    }
    let n = f32(count);
    return Means(g / n, h / n, u / n);
}

// The signal below an element with x̂ = r.
fn through(t: Signal, r: f32, inverse: f32, means: Means) -> Signal {
    var s = t;
    s.g = linear(t.g, means.g.xy, r, inverse);
    if HAS_DIAGONAL {
        let n = f32(p.positions * p.width);
        let share = (CENTRED + r * r) / n;
        let others = CENTRED * (means.h.x + 2.0 * r * means.h.y) + r * r * means.h.z;
        s.h = (t.h * (1.0 - 2.0 * share) + others / n) * (inverse * inverse);
        if F2_TERM {
            s.h -= (2.0 * r * s.g / n + (1.0 - share) * inverse * means.g.y) * inverse;
        }
    }
    if RANK > 0u {
        s.u[0] = linear(t.u[0], means.g.zw, r, inverse);
    }
    if RANK > 1u {
        s.u[U - 1u] = linear(t.u[U - 1u], means.u.xy, r, inverse);
    }
    return s;
}

fn linear(t: f32, means: vec2<f32>, r: f32, inverse: f32) -> f32 {
    return (t - CENTRED * means.x - r * means.y) * inverse;
}
