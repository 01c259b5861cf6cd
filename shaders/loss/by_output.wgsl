// A loss with a g and an h of each output, which may depend on the whole row; c: the reduction factor.
//
//     value = c Σ value of a share      g = c g of the share      h = c h of the share
//
// HesScale-R: the RANK largest positive entries of h (ties: lowest index) become vectors u = √h e and are removed from h.
// Planes of the signal: 0 g; 1 d = h + Σ u²; with RANK > 0: 2 h, 3 … u. Plugs: read_row, share; access to rows.

// One output's share.
struct Share {
    value: f32,
    g: f32,
    h: f32,
}

// Row n, by the LANES invocations that share it; its signal is written if `real`.
fn loss_of_row(n: u32, real: bool, lane: vec3<u32>) -> f32 {
    let at = row_at(n);
    read_row(n, at, lane);
    var value = 0.0;
    var top = top_above(0.0);
    for (var start = lane.x; start < p.outputs; start += RUN) {
        var run = 0.0;
        for (var c = start; c < min(start + RUN, p.outputs); c += LANES) {
            let mine = share(n, at, c);
            let h = p.factor * mine.h;
            run += mine.value;
            if RANK > 0u {
                top = top_with(top, h, c);
            }
            if real {
                put(0u, at, c, p.factor * mine.g);
                if HAS_DIAGONAL {
                    put(1u, at, c, h);
                }
            }
        }
        value += run;
    }
    value = row_sum(vec4<f32>(value), lane).x;
    if RANK > 0u {
        top = row_top(top, lane);
        for (var c = lane.x; c < p.outputs && real; c += LANES) {
            // What this invocation has written.
            let d = look(1u, at, c);
            var h = d;
            for (var j = 0u; j < RANK; j++) {
                let taken = c == top.index[j];
                put(3u + j, at, c, select(0.0, sqrt(max(d, 0.0)), taken));
                h = select(h, 0.0, taken);
            }
            put(2u, at, c, h);
        }
    }
    return p.factor * value;
}
