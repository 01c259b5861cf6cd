// The two largest values of a row that LANES invocations share, by the same tree reduction as in `rows.wgsl`.

var<workgroup> row_tops: array<Top, LANES * ROWS>;

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
    workgroupBarrier(); // all reads finish before the next write
    return top;
}
