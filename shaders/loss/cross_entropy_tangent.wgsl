// The signal of softmax cross-entropy along a direction ż of its logits, of one row; c: the reduction factor, y as in
// cross_entropy.wgsl:
//
//     at z: c m (diag p - p pᵀ) ż = c m p_i (ż_i - Σ p ż)      at ż: c (m p - y)      m = Σ y
//
// ż counts from that of the most likely class, so that nothing cancels where that one has nearly all of p. With softmax.wgsl.

fn loss_of_row(n: u32, real: bool, lane: vec3<u32>) -> f32 {
    let at = row_at(n);
    let goal = goal_of(n, at, lane);
    row_counts = goal.class_index < p.outputs;
    let s = softmax(at, lane);
    let factor = hs_nan_where(s.spoilt, p.factor);
    var mean = 0.0;
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = 0.0;
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            run += probability(s, c, logit_seen(at, c)).x * along_seen(s, at, c);
        }
        mean += run;
    }
    mean = row_sum(vec4<f32>(mean), lane).x;

    var value = 0.0;
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = 0.0;
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            let z = logit_seen(at, c);
            let y = effective(goal, element(at, c), c);
            let prob = probability(s, c, z);
            run += y * (s.log_sum + (s.top.value.x - z));
            if real {
                let product = factor * goal.mass * prob.x * (along_seen(s, at, c) - mean);
                put_both(at, c, product, factor * (prob.x * (goal.mass - y) - y * prob.y));
            }
        }
        value += run;
    }
    return factor * row_sum(vec4<f32>(value), lane).x;
}

// ż, counted from that of the most likely class; 0 where the row is ignored.
fn along_seen(s: Softmax, at: u32, c: u32) -> f32 {
    if row_counts {
        return along(at, c) - along(at, s.top.index.x);
    }
    return 0.0;
}
