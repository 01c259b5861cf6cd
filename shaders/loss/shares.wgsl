// shares[n] = w[n] / Σ w, or 0 where |Σ w| is at most CANCELLED Σ |w|: a weighted mean's weights, by one workgroup of LANES invocations.
// The sum is over all rows that count; a row's weight is its sample's, times the weight of its class with CLASSES. Samples that do not
// count have a share of 0. Plug: samples (all_samples | counted).

struct ShareParams {
    samples: u32,
    positions: u32, // rows of a sample
    terms: f32, // of a row
    ignore: u32,
    has_ignore: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> p: ShareParams;
@group(0) @binding(1) var<storage, read> targets: array<u32>; // class indices with CLASSES
@group(0) @binding(2) var<storage, read> class_weights: array<f32>;
@group(0) @binding(3) var<storage, read> sample_weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> shares: array<f32>;

// How often row i counts.
fn times(i: u32) -> f32 {
    if !CLASSES {
        return p.terms;
    }
    let class_index = targets[i];
    if class_index >= p.classes || (p.has_ignore != 0u && class_index == p.ignore) {
        return 0.0;
    }
    return class_weights[class_index];
}

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(local_invocation_id) lane: vec3<u32>) {
    var sums = vec2<f32>(0.0); // of weights and of their magnitudes
    let some = samples();
    let rows = some * p.positions;
    for (var start = lane.x; start < rows; start += RUN) {
        var run = vec2<f32>(0.0);
        for (var i = start; i < min(start + RUN, rows); i += LANES) {
            let w = sample_weights[i / p.positions] * times(i);
            run += vec2<f32>(w, abs(w));
        }
        sums += run;
    }
    sums = row_sum(vec4<f32>(sums, 0.0, 0.0), lane).xy;
    let cancel = hs_is_finite(sums.x) && abs(sums.x) <= CANCELLED * sums.y;
    for (var n = lane.x; n < p.samples; n += LANES) {
        var share = 0.0;
        if n < some && !cancel {
            share = sample_weights[n] / sums.x;
        }
        shares[n] = share;
    }
}
