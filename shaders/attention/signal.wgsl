// The signal at queries, keys and values of attention, one Value per invocation, from the one at the scores (attention/scores), which
// a has been multiplied into, and the one above:
//
//     g_q = Σ_j g_s k_j      g_k = Σ_i g_s q_i      g_v = Σ_i p_ij g_i      h with squared factors, u as g
//
// then through the activation below (signal/leave).

@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> scores: array<f32>;

fn each(index: u32) {
    let place = divide(index, p.stride_in);
    let at = divide(place.x, p.positions);
    let head = divide(place.y, p.width);
    let which = divide(head.x, p.heads);
    var sum = Signal();
    if which.x <= V {
        // A query looks at the keys that it sees, a key or value at the queries that see it.
        let first = select(0u, at.y, CAUSAL && which.x != Q);
        let end = select(p.positions, seen_by(at.y), which.x == Q);
        for (var start = first; start < end; start += CHAIN) {
            var part = Signal();
            for (var other = start; other < min(start + CHAIN, end); other++) {
                if which.x == V {
                    let weight = weights[row_at(at.x, which.y, other) + at.y];
                    part = gather(part, above_at(output_at(at.x, which.y, other) + head.y), Value(weight));
                } else {
                    let is_query = which.x == Q;
                    let query = select(other, at.y, is_query);
                    let key = select(at.y, other, is_query);
                    let factor = input_at(select(Q, K, is_query), at.x, which.y, other) + head.y;
                    let score = score_at(row_at(at.x, which.y, query) + key);
                    part = gather(part, score, Value(x[factor]));
                }
            }
            sum = gather(sum, part, Value(1.0));
        }
    }
    leave(index, sum);
}

fn score_at(at: u32) -> Signal {
    var s = Signal();
    s.g = Value(scores[at]);
    if HAS_DIAGONAL {
        s.h = Value(scores[p.plane + at]);
        for (var r = 0u; r < RANK; r++) {
            s.u[r] = Value(scores[(2u + r) * p.plane + at]);
        }
    }
    return s;
}
