// A loss that is a sum over K parts, each with HEADS outputs (one, or two K apart); a part may depend on the whole row:
//
//     value = c Σ value of a part      g = c g of the part      h = c h of the part      c the reduction factor
//
// HesScale-R: the LEADING largest positive entries of h (ties: lowest index) become vectors u = √h e and are removed from h.
// HesScale-S: so do then all others together, with random signs.
// Planes of the signal: 0 g; 1 d = h + Σ u²; with RANK > 0: 2 h, 3 … u.
// Plugs: read_row, part (elementwise | bce_pos_weight | ppo_… | own_row); sign_of (signs | no_signs); access to rows.

// Row n, by the LANES invocations that share it; its signal is written if `real`. A signal may lie where the logits of its own part
// were: nothing reads them afterwards.
fn loss_of_row(n: u32, real: bool, lane: vec3<u32>) -> f32 {
    let at = row_at(n);
    read_row(n, at, lane);
    let count = p.outputs / HEADS;
    var value = 0.0;
    var top = top_above(0.0);
    for (var start = lane.x; start < count; start += RUN) {
        var run = 0.0;
        for (var k = start; k < min(start + RUN, count); k += LANES) {
            let mine = part(n, at, k);
            run += mine.value;
            for (var head = 0u; head < HEADS; head++) {
                let output = head * count + k;
                let h = p.factor * mine.h[head];
                if LEADING > 0u {
                    top = top_with(top, h, output);
                }
                if real {
                    put(0u, at, output, p.factor * mine.g[head]);
                    if FISHER {
                        put_fisher(at, output, p.factor * mine.g[head]);
                    } else if HAS_DIAGONAL {
                        put(1u, at, output, h);
                    }
                }
            }
        }
        value += run;
    }
    value = row_sum(vec4<f32>(value), lane).x;
    if RANK > 0u && !FISHER {
        if LEADING > 0u {
            top = row_top(top, lane);
        }
        for (var k = lane.x; k < count && real; k += LANES) {
            for (var head = 0u; head < HEADS; head++) {
                split(n, at, head * count + k, top.index);
            }
        }
    }
    return p.factor * value;
}

// Splits d of one output, which this invocation has written, into h and u.
fn split(n: u32, at: u32, output: u32, largest: vec2<u32>) {
    let d = look(1u, at, output);
    var h = d;
    for (var j = 0u; j < LEADING; j++) {
        let taken = output == largest[j];
        put(3u + j, at, output, select(0.0, sqrt(max(d, 0.0)), taken));
        h = select(h, 0.0, taken);
    }
    if SAMPLED {
        put(2u + RANK, at, output, sign_of(n, output) * sqrt(max(h, 0.0)));
        h = select(h, 0.0, h > 0.0);
    }
    put(2u, at, output, h);
}
