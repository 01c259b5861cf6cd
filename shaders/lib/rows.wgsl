// row_sum = Σ_lanes x: a tree reduction over the LANES invocations that share a row. LANES is a power of two; a workgroup holds
// ROWS rows. The tree's shape is fixed, so the result has the same bits in every run. With one lane there is no reduction and no
// barrier. All invocations of the workgroup must call it together; each gets its row's result.

// Lanes sum runs of this many columns, then the runs, to limit the rounding error of long sums.
const RUN: u32 = 64u * LANES;

// An invocation's place: x along its row, y the row. Workgroups are one-dimensional, because some drivers vectorise along the first
// dimension only.
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
    workgroupBarrier(); // all reads finish before the next write
    return sum;
}
