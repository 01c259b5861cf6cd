// A loss that is a sum over K targets, each with HEADS outputs (one, or a mean and a variance K apart):
//
//     value = c Σ l(z, t)      g = c ∂l/∂z      h = c ∂²l/∂z²      c the reduction factor
//
// HesScale-R: the RANK largest positive entries of h (ties: lowest index) become vectors u = √h e and are removed from h.
// Planes of the signal: 0 g; 1 d = h + Σ u²; with RANK > 0: 2 h, 3 … u. Plugs: term; access to rows.

// One target's share: the value, and g and h of its first and second output.
struct Term {
    value: f32,
    g: vec2<f32>,
    h: vec2<f32>,
}

// Sample n, by the LANES invocations that share it; its signal is written if `real`.
fn loss_of_row(n: u32, real: bool, lane: vec3<u32>) -> f32 {
    let at = row_at(n);
    let count = p.outputs / HEADS;
    var value = 0.0;
    var top = top_above(0.0);
    for (var start = lane.x; start < count; start += RUN) {
        var run = 0.0;
        for (var k = start; k < min(start + RUN, count); k += LANES) {
            let first = logit(at, k);
            let second = logit(at, (HEADS - 1u) * count + k);
            let t = term(first, second, bitcast<f32>(target_bits(n * count + k)));
            // The term is meaningless for a non-finite logit, so all of it becomes NaN.
            let spoilt = !(hs_is_finite(first) && hs_is_finite(second));
            let factor = hs_nan_where(spoilt, p.factor);
            run += hs_nan_where(spoilt, t.value);
            for (var head = 0u; head < HEADS; head++) {
                let output = head * count + k;
                let h = factor * t.h[head];
                if RANK > 0u {
                    top = top_with(top, h, output);
                }
                if real {
                    put(0u, at, output, factor * t.g[head]);
                    if HAS_DIAGONAL {
                        put(1u, at, output, h);
                    }
                }
            }
        }
        value += run;
    }
    value = row_sum(vec4<f32>(value), lane).x;
    if RANK > 0u {
        top = row_top(top, lane);
        for (var k = lane.x; k < count && real; k += LANES) {
            for (var head = 0u; head < HEADS; head++) {
                take_largest(at, head * count + k, top.index);
            }
        }
    }
    return p.factor * value;
}

// Splits d of one output, which this invocation has written, into h and u.
fn take_largest(at: u32, output: u32, largest: vec2<u32>) {
    let d = look(1u, at, output);
    var h = d;
    for (var j = 0u; j < RANK; j++) {
        var u = 0.0;
        if output == largest[j] {
            u = sqrt(d);
            h = 0.0;
        }
        put(3u + j, at, output, u);
    }
    put(2u, at, output, h);
}
