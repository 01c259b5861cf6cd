// p_i = softmax_j(a q_i · k_j) over the positions j that query i sees; nobody reads the others. Where a score is NaN, or infinite above,
// or all are infinite below, the row is NaN.
//
// Grid: a workgroup takes ROWS queries, LANES invocations each; those without a query see nothing and write nothing.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;

const MINUS_INFINITY: u32 = 0xff800000u;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let row = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let at = query_of(row);
    let seen = select(0u, seen_by(at.z), row < p.n);
    let first = row * p.positions;

    var top = top_above(-3.40282347e38);
    var spoilt = 0.0;
    for (var j = lane.x; j < seen; j += LANES) {
        let s = score(at, j);
        spoilt += select(0.0, 1.0, !hs_is_finite(s) && bitcast<u32>(s) != MINUS_INFINITY);
        top = top_with(top, s, j);
        weights[first + j] = s;
    }
    let most = row_top(top, lane).value.x;
    var sum = vec4<f32>(0.0, spoilt, 0.0, 0.0);
    for (var start = lane.x; start < seen; start += RUN) {
        var run = 0.0;
        for (var j = start; j < min(start + RUN, seen); j += LANES) {
            let e = hs_exp(weights[first + j] - most);
            weights[first + j] = e;
            run += e;
        }
        sum.x += run;
    }
    sum = row_sum(sum, lane);
    let inverse = hs_nan_where(sum.y > 0.0 || !(sum.x > 0.0), 1.0 / sum.x);
    for (var j = lane.x; j < seen; j += LANES) {
        weights[first + j] *= inverse;
    }
}

fn score(at: vec3<u32>, j: u32) -> f32 {
    let q = input_at(Q, at.x, at.y, at.z);
    let k = input_at(K, at.x, at.y, j);
    var sum = Value(0.0);
    for (var c = 0u; c < p.width; c++) {
        sum += Value(x[q + c]) * Value(x[k + c]);
    }
    return p.scale * across(sum);
}
