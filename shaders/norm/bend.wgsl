// The signal that goes to a behind y = J(a) u, J the derivative of x̂ = (a - mean)/s over each group of n numbers (norm/signal): of
// g·J(a) u by a. With c = 1, or 0 for RMS normalisation, and all sums over the group:
//
//     -[x̂_i φ/n + (J g)_i Σu x̂/n + (J u)_i Σg x̂/n] / s      φ/n = (Σg u/n - c Σg/n Σu/n - Σg x̂/n Σu x̂/n) / s
//
// Grid as in norm/forward.

@group(0) @binding(3) var<storage, read> a: array<Value3>;
@group(0) @binding(4) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> along: array<Along>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let k = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let place = place_of(min(k, p.n - 1u));
    let kept = statistics[min(k, p.n - 1u)];
    let count = p.positions * p.width;
    var single = vec4<f32>(0.0); // means of g, g x̂, u, u x̂
    var both = vec4<f32>(0.0); // of g u
    var w = walk(lane.x, p.width);
    for (var start = lane.x; start < count; start += RUN) {
        var run = vec4<f32>(0.0);
        var product = 0.0;
        for (var j = start; j < min(start + RUN, count); j += LANES) {
            let i = place.first + w.at.x * p.stride + w.at.y;
            let g = above_at(i).g;
            let u = f32(along[i]);
            let r = hat(i, kept);
            run += vec4<f32>(g, g * r, u, u * r);
            product += g * u;
            advance(&w);
        }
        single += run;
        both.x += product;
    }
    single = row_sum(single, lane) / f32(count);
    both = row_sum(both, lane) / f32(count);
    let inverse = kept.z;
    let phi = (both.x - CENTRED * single.x * single.z - single.y * single.w) * inverse;
    if k < p.n {
        var v = walk(lane.x, place.columns);
        for (var j = lane.x; j < p.positions * place.columns; j += LANES) {
            let i = place.first + v.at.x * p.stride + v.at.y;
            var s = Signal();
            if v.at.y < p.width {
                let r = hat(i, kept);
                let of_g = (above_at(i).g - CENTRED * single.x - r * single.y) * inverse;
                let of_u = (f32(along[i]) - CENTRED * single.z - r * single.w) * inverse;
                s.g = -(r * phi + of_g * single.w + of_u * single.y) * inverse;
            }
            leave(i, s);
            advance(&v);
        }
    }
}

fn hat(i: u32, kept: vec4<f32>) -> f32 {
    return standardized(f32(a[i]), kept.x, kept.y, kept.z);
}
