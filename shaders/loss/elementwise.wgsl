// A loss that is a sum over targets, each with HEADS outputs (one; or a mean and a variance head, heads K apart):
//
//     value = c Σ l(z, t)      g = c ∂l/∂z      h = c ∂²l/∂z²      c the reduction factor
//
// HesScale-R: the RANK largest positive entries of h become u = √h e, and leave h.
// Grid: a workgroup takes ROWS samples, LANES invocations each. Planes of the signal: 0 g; 1 d = h + Σ u²; with RANK > 0:
// 2 h, 3 … u. Plug: term.

struct LossParams {
    batch: u32,
    outputs: u32,
    grid_x: u32,
    plane_stride: u32,
    factor: f32,
    smoothing: f32,
    ignore: u32,
    has_ignore: u32,
}

// One target's share: the value, and g and h of its first and second output.
struct Term {
    value: f32,
    g: vec2<f32>,
    h: vec2<f32>,
}

@group(0) @binding(0) var<uniform> p: LossParams;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> signal: array<f32>;

fn term_at(n: u32, k: u32) -> Term {
    let count = p.outputs / HEADS;
    let at = n * p.outputs + k;
    let second = logits[at + (HEADS - 1u) * count];
    return term(logits[at], second, bitcast<f32>(targets[n * count + k]));
}

// The largest h of the sample but for output `skip`.
fn largest_h(n: u32, skip: u32, lane: vec3<u32>) -> Largest {
    let count = p.outputs / HEADS;
    var best = Largest(0.0, p.outputs);
    for (var k = lane.x; k < count; k += LANES) {
        let t = term_at(n, k);
        for (var head = 0u; head < HEADS; head++) {
            let output = head * count + k;
            if output != skip && t.h[head] > 0.0 {
                best = larger(best, Largest(t.h[head], output));
            }
        }
    }
    return row_largest(best, lane);
}

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let sample = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let n = min(sample, p.batch - 1u); // rows past the end compute the last one again, and write nothing
    let count = p.outputs / HEADS;
    var first = p.outputs;
    var second = p.outputs;
    if RANK > 0u {
        first = largest_h(n, p.outputs, lane).index;
    }
    if RANK > 1u {
        second = largest_h(n, first, lane).index;
    }
    var value = 0.0;
    for (var k = lane.x; k < count; k += LANES) {
        let t = term_at(n, k);
        value += t.value;
        for (var head = 0u; head < HEADS; head++) {
            let output = head * count + k;
            let at = n * p.outputs + output;
            if sample < p.batch {
                signal[at] = p.factor * t.g[head];
                if HAS_DIAGONAL {
                    let h = p.factor * t.h[head];
                    signal[p.plane_stride + at] = h;
                    if RANK > 0u {
                        let u = sqrt(max(h, 0.0));
                        signal[2u * p.plane_stride + at] = select(h, 0.0, output == first || output == second);
                        signal[3u * p.plane_stride + at] = select(0.0, u, output == first);
                        if RANK > 1u {
                            signal[4u * p.plane_stride + at] = select(0.0, u, output == second);
                        }
                    }
                }
            }
        }
    }
    value = row_sum(value, lane);
    if lane.x == 0u && sample < p.batch {
        values[sample] = p.factor * value;
    }
}
