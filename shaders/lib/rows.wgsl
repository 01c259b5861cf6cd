// Reductions over the LANES invocations that share a row, LANES a power of two; a workgroup holds ROWS rows. The tree's
// shape is fixed, so the result has the same bits every run. With one lane nothing is shared and no barrier is met.
// All invocations of the workgroup call together, and get their row's result.

// A lane sums runs of so many columns, then the runs: the rounding errors of long sums stay few.
const RUN: u32 = 64u * LANES;

// Where an invocation stands: x along its row, y which row. Workgroups are one-dimensional, since some drivers fill their
// vectors along the first dimension only.
fn lane_of(index: u32) -> vec3<u32> {
    return vec3<u32>(index % LANES, index / LANES, 0u);
}

var<workgroup> row_sums: array<vec4<f32>, LANES * ROWS>;

fn row_sum(lane_sum: vec4<f32>, lane: vec3<u32>) -> vec4<f32> {
    if LANES == 1u {
        return lane_sum;
    }
    let first = lane.y * LANES;
    let mine = first + lane.x;
    row_sums[mine] = lane_sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane.x < half {
            row_sums[mine] += row_sums[mine + half];
        }
    }
    workgroupBarrier();
    let sum = row_sums[first];
    workgroupBarrier(); // all have read before anyone writes again
    return sum;
}
