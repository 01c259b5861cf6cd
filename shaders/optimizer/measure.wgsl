// sums[workgroup] = Σ_i term_of(i), or the largest and at least 0, over the workgroup's share of a range of parameters, four at a
// time, in a fixed order. Plugs: term_of (gradient_square | step_square | step_size | utility | utility_rests); joined, row_joined
// (sum | largest).
// Grid: p.groups workgroups, at most MOST_SUMS.

struct MeasureParams {
    vectors: u32, // of the whole model
    groups: u32,
    first: u32, // start of the range, and its length
    n: u32,
}

@group(0) @binding(0) var<uniform> p: MeasureParams;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    take_hyper();
    var sum = 0.0;
    for (var i = group.x * LANES + lane; i < p.n; i += p.groups * LANES) {
        sum = joined(sum, term_of(p.first + i));
    }
    let total = row_joined(sum, lane_of(lane));
    if lane == 0u {
        sums[group.x] = total;
    }
}
