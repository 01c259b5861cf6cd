// The signal at the scores s of p = softmax(s), z_i = Σ_j p_ij v_j, times a, or a² for h, which the scores are scaled with:
//
//     g_p = Σ_c v_jc g_ic      g_s = p (g_p - ḡ)                                        ḡ = Σ_j p g_p      u as g
//     h_p = Σ_c v_jc² h_ic     h_s = p² [h_p (1 - 2p) + Σ_j p² h_p] + p (1 - 2p) (g_p - ḡ)
//
// Gauss-Newton: without the last term. Left are g, h, then the u, each on a plane of its own. Grid as in attention/weights.

@group(0) @binding(2) var<storage, read_write> scores: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let row = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let at = query_of(row);
    let seen = select(0u, seen_by(at.z), row < p.n);
    let first = row * p.positions;

    var sums = vec4<f32>(0.0); // of p g, p² h, p u
    for (var start = lane.x; start < seen; start += RUN) {
        var run = vec4<f32>(0.0);
        for (var j = start; j < min(start + RUN, seen); j += LANES) {
            let s = at_weight(at, j);
            let weight = weights[first + j];
            put(0u, first + j, s.x);
            if HAS_DIAGONAL {
                put(1u, first + j, s.y);
                for (var r = 0u; r < RANK; r++) {
                    put(2u + r, first + j, s[2u + r]);
                }
            }
            run += s * vec4<f32>(weight, weight * weight, weight, weight);
        }
        sums += run;
    }
    sums = row_sum(sums, lane);
    for (var j = lane.x; j < seen; j += LANES) {
        let weight = weights[first + j];
        let slope = weight * (scores[first + j] - sums.x);
        put(0u, first + j, p.scale * slope);
        if HAS_DIAGONAL {
            let rest = 1.0 - 2.0 * weight;
            var h = weight * weight * (scores[p.plane + first + j] * rest + sums.y);
            if F2_TERM {
                h += rest * slope;
            }
            put(1u, first + j, p.scale * p.scale * h);
            for (var r = 0u; r < RANK; r++) {
                let u = scores[(2u + r) * p.plane + first + j];
                put(2u + r, first + j, p.scale * weight * (u - sums[2u + r]));
            }
        }
    }
}

fn put(component: u32, at: u32, value: f32) {
    scores[component * p.plane + at] = value;
}

// (g, h, u₁, u₂) at a number of p.
fn at_weight(at: vec3<u32>, j: u32) -> vec4<f32> {
    let z = output_at(at.x, at.y, at.z);
    let v = input_at(V, at.x, at.y, j);
    var sum = Signal();
    for (var c = 0u; c < p.width; c++) {
        sum = gather(sum, above_at(z + c), Value(x[v + c]));
    }
    var s = vec4<f32>(across(sum.g), 0.0, 0.0, 0.0);
    if HAS_DIAGONAL {
        s.y = across(sum.h);
        for (var r = 0u; r < RANK; r++) {
            s[2u + r] = across(sum.u[r]);
        }
    }
    return s;
}
