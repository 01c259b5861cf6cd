// total = scale · Σ values[0 .. n], by one workgroup of LANES invocations, in a fixed order.

struct ReduceParams {
    n: u32,
    scale: f32, // of the total
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: ReduceParams;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(local_invocation_id) lane: vec3<u32>) {
    var sum = 0.0;
    for (var start = lane.x; start < p.n; start += RUN) {
        var run = 0.0;
        for (var i = start; i < min(start + RUN, p.n); i += LANES) {
            run += values[i];
        }
        sum += run;
    }
    sum = row_sum(vec4<f32>(sum), lane).x;
    if lane.x == 0u {
        total[0] = p.scale * sum;
    }
}
