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

const NO_INDEX: u32 = 0xffffffffu;

// The two largest numbers of a row and where they stand; of equals the lower index comes first.
struct Top {
    value: vec2<f32>,
    index: vec2<u32>,
}

var<workgroup> row_sums: array<vec4<f32>, LANES * ROWS>;
var<workgroup> row_tops: array<Top, LANES * ROWS>;

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

fn row_top(lane_top: Top, lane: vec3<u32>) -> Top {
    if LANES == 1u {
        return lane_top;
    }
    let first = lane.y * LANES;
    let mine = first + lane.x;
    row_tops[mine] = lane_top;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane.x < half {
            let other = row_tops[mine + half];
            let both = top_with(row_tops[mine], other.value.x, other.index.x);
            row_tops[mine] = top_with(both, other.value.y, other.index.y);
        }
    }
    workgroupBarrier();
    let top = row_tops[first];
    workgroupBarrier(); // all have read before anyone writes again
    return top;
}

// Nothing found yet; whatever is above `floor` will be.
fn top_above(floor: f32) -> Top {
    return Top(vec2<f32>(floor), vec2<u32>(NO_INDEX));
}

fn top_with(top: Top, value: f32, index: u32) -> Top {
    if before(value, index, top.value.x, top.index.x) {
        return Top(vec2<f32>(value, top.value.x), vec2<u32>(index, top.index.x));
    }
    if before(value, index, top.value.y, top.index.y) {
        return Top(vec2<f32>(top.value.x, value), vec2<u32>(top.index.x, index));
    }
    return top;
}

fn before(a: f32, a_index: u32, b: f32, b_index: u32) -> bool {
    return a > b || (a == b && a_index < b_index);
}
