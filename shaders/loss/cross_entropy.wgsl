// Softmax cross-entropy of one sample, with all that the backward pass starts from; c is the reduction factor.
//
//     y_i = w_i ((1-ε) t_i + ε m_t / C)      m = Σ y      p = softmax(z)
//     value = -c Σ y log p      g = c (m p - y)      h = c m (p - p²)      (BL89: h = c y (p - p²))
//
// HesScale-R takes the leading part of c m (diag p - p pᵀ) out of h, by Nyström steps from the likeliest classes. The
// first is closed: with r = 1 - p_1, and q the other classes' probabilities among themselves, Q = Σ q², R = Σ q³,
//
//     u_1 = √(c m r / D) p_1 (1 + Q)      u_i = -√(c m r / D) q_i (q_i + p_1 - r Q)      D = p_1 (1 + 2Q) + R - r Q²
//
// All is counted from the likeliest class, whose 1 - p is a sum: nothing cancels, and nothing overflows at logits of any
// size. Grid: a workgroup takes ROWS samples, LANES invocations each. Planes of the signal: 0 g; 1 d = h + Σ u²; with
// RANK > 0: 2 h, 3 … u.

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

@group(0) @binding(0) var<uniform> p: LossParams;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> signal: array<f32>;

const LOWEST: f32 = -3.4e38;
// What a difference of curvatures must exceed to be more than rounding.
const ROUNDING: f32 = 1.9e-6;
const TINY: f32 = 1.2e-38;

// The sample in hand, seen from its likeliest class.
struct Row {
    start: u32,
    top: u32,
    best: f32, // the largest logit
    others: f32, // Σ e^(z - best) over the other classes
    target_class: u32,
    soft_mass: f32,
}

fn below_best(row: Row, c: u32) -> f32 {
    return logits[row.start + c] - row.best;
}

fn probability(row: Row, c: u32) -> f32 {
    return hs_exp(below_best(row, c)) / (1.0 + row.others);
}

// 1 - p
fn complement(row: Row, c: u32, probability: f32) -> f32 {
    return select(1.0 - probability, row.others / (1.0 + row.others), c == row.top);
}

// t: the one-hot class, or the given distribution.
fn target_at(start: u32, class_index: u32, c: u32) -> f32 {
    if SOFT_TARGETS {
        return bitcast<f32>(targets[start + c]);
    }
    return select(0.0, 1.0, c == class_index);
}

// y
fn effective(row: Row, c: u32) -> f32 {
    let t = target_at(row.start, row.target_class, c);
    return class_weight(c) * ((1.0 - p.smoothing) * t + p.smoothing * row.soft_mass / f32(p.outputs));
}

// The first Nyström vector at one class, for c m = 1.
struct First {
    root: f32, // √(r / D), 0 where there is no curvature
    top: f32, // 1 + Q
    shift: f32, // p_1 - r Q
    p_top: f32,
}

fn first_at(row: Row, f: First, c: u32) -> f32 {
    if c == row.top {
        return f.root * f.p_top * f.top;
    }
    let q = hs_exp(below_best(row, c)) / max(row.others, TINY);
    return -f.root * q * (q + f.shift);
}

fn first_vector(row: Row, lane: vec3<u32>) -> First {
    var squares = 0.0;
    var cubes = 0.0;
    for (var c = lane.x; c < p.outputs; c += LANES) {
        let q = select(hs_exp(below_best(row, c)) / max(row.others, TINY), 0.0, c == row.top);
        squares += q * q;
        cubes += q * q * q;
    }
    squares = row_sum(squares, lane);
    cubes = row_sum(cubes, lane);
    let p_top = 1.0 / (1.0 + row.others);
    let r = row.others * p_top;
    let d = p_top * (1.0 + 2.0 * squares) + cubes - r * squares * squares;
    let root = select(0.0, sqrt(r / max(d, TINY)), row.others > TINY);
    return First(root, 1.0 + squares, p_top - r * squares, p_top);
}

// The second: a = H e of the second likeliest class, H less the first vector's share; w = H a; u = w / √(a·w).
struct Second {
    class_index: u32,
    p: f32, // its probability
    complement: f32,
    first: f32, // the first vector there
    scale: f32, // 1 / max |a|
    a_top: f32,
    mean: f32, // Σ p (a - a_top)
    along: f32, // Σ first a
    root: f32, // 1 / √(a·w), 0 where there is no more curvature
}

fn second_a(row: Row, f: First, s: Second, c: u32, probability: f32) -> f32 {
    let column = s.p * select(-probability, s.complement, c == s.class_index);
    return (column - first_at(row, f, c) * s.first) * s.scale;
}

fn second_w(row: Row, f: First, s: Second, c: u32, probability: f32) -> f32 {
    let a = second_a(row, f, s, c, probability);
    return probability * (a - s.a_top - s.mean) - first_at(row, f, c) * s.along;
}

fn second_vector(row: Row, f: First, lane: vec3<u32>) -> Second {
    var next = Largest(LOWEST, p.outputs);
    for (var c = lane.x; c < p.outputs; c += LANES) {
        if c != row.top {
            next = larger(next, Largest(logits[row.start + c], c));
        }
    }
    next = row_largest(next, lane);
    let exists = next.index < p.outputs;
    var s: Second;
    s.class_index = min(next.index, p.outputs - 1u);
    s.p = probability(row, s.class_index);
    s.complement = complement(row, s.class_index, s.p);
    s.first = first_at(row, f, s.class_index);
    s.scale = 1.0;
    var largest = Largest(0.0, 0u);
    for (var c = lane.x; c < p.outputs; c += LANES) {
        largest = larger(largest, Largest(abs(second_a(row, f, s, c, probability(row, c))), 0u));
    }
    largest = row_largest(largest, lane);
    let more = exists && largest.value > max(ROUNDING * s.p * s.complement, TINY);
    s.scale = 1.0 / max(largest.value, TINY);
    s.a_top = second_a(row, f, s, row.top, probability(row, row.top));
    var mean = 0.0;
    var along = 0.0;
    for (var c = lane.x; c < p.outputs; c += LANES) {
        let prob = probability(row, c);
        let a = second_a(row, f, s, c, prob);
        mean += prob * (a - s.a_top);
        along += first_at(row, f, c) * a;
    }
    s.mean = row_sum(mean, lane);
    s.along = row_sum(along, lane);
    var product = 0.0;
    for (var c = lane.x; c < p.outputs; c += LANES) {
        let prob = probability(row, c);
        product += second_a(row, f, s, c, prob) * second_w(row, f, s, c, prob);
    }
    product = row_sum(product, lane);
    s.root = select(0.0, 1.0 / sqrt(max(product, TINY)), more && product > TINY);
    return s;
}

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let sample = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let n = min(sample, p.batch - 1u); // rows past the end compute the last one again, and write nothing
    var row: Row;
    row.start = n * p.outputs;
    row.soft_mass = 1.0;
    var ignored = false;
    if !SOFT_TARGETS {
        row.target_class = targets[n];
        ignored = row.target_class >= p.outputs || (p.has_ignore != 0u && row.target_class == p.ignore);
    }

    var best = Largest(LOWEST, p.outputs);
    var soft_mass = 0.0;
    for (var c = lane.x; c < p.outputs; c += LANES) {
        best = larger(best, Largest(logits[row.start + c], c));
        if SOFT_TARGETS {
            soft_mass += target_at(row.start, 0u, c);
        }
    }
    best = row_largest(best, lane);
    if SOFT_TARGETS {
        row.soft_mass = row_sum(soft_mass, lane);
    }
    row.top = best.index;
    row.best = best.value;

    var others = 0.0;
    var mass = 0.0;
    for (var c = lane.x; c < p.outputs; c += LANES) {
        others += select(hs_exp(below_best(row, c)), 0.0, c == row.top);
        mass += effective(row, c);
    }
    row.others = row_sum(others, lane);
    mass = row_sum(mass, lane);
    let log_sum = hs_log1p(row.others);

    var first: First;
    var second: Second;
    if RANK > 0u {
        first = first_vector(row, lane);
    }
    if RANK > 1u {
        second = second_vector(row, first, lane);
    }
    let root = sqrt(p.factor * mass);

    let kept = select(p.factor, 0.0, ignored);
    let kept_root = select(root, 0.0, ignored);
    var value = 0.0;
    for (var c = lane.x; c < p.outputs; c += LANES) {
        let y = effective(row, c);
        let prob = probability(row, c);
        let rest = complement(row, c, prob);
        value -= y * (below_best(row, c) - log_sum);
        if sample < p.batch {
            let at = row.start + c;
            signal[at] = kept * (prob * (mass - y) - y * rest);
            if HAS_DIAGONAL {
                var h = kept * select(mass, y, BL89) * prob * rest;
                var d = h;
                if RANK > 0u {
                    let u = kept_root * first_at(row, first, c);
                    h = max(h - u * u, 0.0);
                    d = u * u;
                    signal[3u * p.plane_stride + at] = u;
                }
                if RANK > 1u {
                    let u = kept_root * second.root * second_w(row, first, second, c, prob);
                    h = max(h - u * u, 0.0);
                    d += u * u;
                    signal[4u * p.plane_stride + at] = u;
                }
                if RANK > 0u {
                    signal[2u * p.plane_stride + at] = h;
                    d += h;
                }
                signal[p.plane_stride + at] = d;
            }
        }
    }
    value = row_sum(value, lane);
    if lane.x == 0u && sample < p.batch {
        values[sample] = kept * value;
    }
}
