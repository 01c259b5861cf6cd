// A loss that is a sum over targets, each with HEADS outputs (one; or a mean and a variance head, heads K apart):
//
//     value = c Σ l(z, t)      g = c ∂l/∂z      h = c ∂²l/∂z²      c the reduction factor
//
// HesScale-R: the RANK largest positive entries of h (ties: lowest index) become u = √h e, and leave h.
// Grid: a workgroup takes ROWS samples, LANES invocations each. Planes of the signal: 0 g; 1 d = h + Σ u²; with RANK > 0:
// 2 h, 3 … u. Plug: term.

// One target's share: the value, and g and h of its first and second output.
struct Term {
    value: f32,
    g: vec2<f32>,
    h: vec2<f32>,
}

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let sample = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let n = min(sample, p.rows - 1u); // rows past the end compute the last one again, and write nothing
    let at = n * p.outputs;
    let count = p.outputs / HEADS;
    var value = 0.0;
    var top = top_above(0.0);
    for (var start = lane.x; start < count; start += RUN) {
        var run = 0.0;
        for (var k = start; k < min(start + RUN, count); k += LANES) {
            let second = logits[at + (HEADS - 1u) * count + k];
            let t = term(logits[at + k], second, bitcast<f32>(targets[n * count + k]));
            run += t.value;
            for (var head = 0u; head < HEADS; head++) {
                let output = head * count + k;
                let h = p.factor * t.h[head];
                if RANK > 0u {
                    top = top_with(top, h, output);
                }
                if sample < p.rows {
                    signal[at + output] = p.factor * t.g[head];
                    if HAS_DIAGONAL {
                        signal[p.plane_stride + at + output] = h;
                    }
                }
            }
        }
        value += run;
    }
    value = row_sum(vec4<f32>(value), lane).x;
    if lane.x == 0u && sample < p.rows {
        values[sample] = p.factor * value;
    }

    if RANK > 0u {
        top = row_top(top, lane);
        for (var k = lane.x; k < count && sample < p.rows; k += LANES) {
            for (var head = 0u; head < HEADS; head++) {
                take_largest(at, head * count + k, top.index);
            }
        }
    }
}

// Splits d of one output, which this invocation has written, into h and u.
fn take_largest(at: u32, output: u32, largest: vec2<u32>) {
    let d = signal[p.plane_stride + at + output];
    var h = d;
    for (var j = 0u; j < RANK; j++) {
        var u = 0.0;
        if output == largest[j] {
            u = sqrt(d);
            h = 0.0;
        }
        signal[(3u + j) * p.plane_stride + at + output] = u;
    }
    signal[2u * p.plane_stride + at + output] = h;
}
