// z = γ x̂ + β over each group of n numbers (norm/params):
//
//     x̂ = (x - mean) / s      s = √(Σ (x - mean)²/n + ε)      RMS normalisation: mean = 0
//
// Left for the backward pass is (m, d, 1/s) of each group, where mean = m + d: see norm/standardized. Grid: a workgroup takes ROWS
// groups, LANES invocations each; those without a group recompute the last one and write nothing. Plugs: weight_of, bias_of.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> z: array<Value2>;
@group(0) @binding(3) var<storage, read_write> statistics: array<vec4<f32>>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let k = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let place = place_of(min(k, p.n - 1u));
    let n = f32(p.positions * p.width);

    var m = 0.0;
    var d = 0.0;
    var sums = moments(place.first, m, lane) / n;
    if CENTRED > 0.0 {
        m = sums.x;
        sums = moments(place.first, m, lane) / n;
        d = sums.x;
    }
    let variance = sums.y - d * d;
    let s = sqrt(max(variance, 0.0) + p.eps);
    let inverse = hs_nan_where(!hs_is_finite(variance), 1.0 / s);

    if k < p.n {
        if lane.x == 0u {
            statistics[k] = vec4<f32>(m, d, inverse, 0.0);
        }
        var w = walk(lane.x, place.columns);
        for (var j = lane.x; j < p.positions * place.columns; j += LANES) {
            let i = place.first + w.at.x * p.stride + w.at.y;
            var value = 0.0;
            if w.at.y < p.width {
                let c = place.channel + w.at.y;
                value = weight_of(c) * standardized(f32(x[i]), m, d, inverse) + bias_of(c);
            }
            z[i] = Value2(storable_value(value));
            advance(&w);
        }
    }
}

// (Σ (x - m), Σ (x - m)²) over a group.
fn moments(first: u32, m: f32, lane: vec3<u32>) -> vec2<f32> {
    let count = p.positions * p.width;
    var sum = vec2<f32>(0.0);
    var w = walk(lane.x, p.width);
    for (var start = lane.x; start < count; start += RUN) {
        var run = vec2<f32>(0.0);
        for (var j = start; j < min(start + RUN, count); j += LANES) {
            let apart = f32(x[first + w.at.x * p.stride + w.at.y]) - m;
            run += vec2<f32>(apart, apart * apart);
            advance(&w);
        }
        sum += run;
    }
    return row_sum(vec4<f32>(sum, 0.0, 0.0), lane).xy;
}
