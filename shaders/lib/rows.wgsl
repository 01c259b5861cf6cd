// Reductions over the LANES invocations that share a row; a workgroup holds ROWS rows. The tree's shape is fixed, so the
// result has the same bits every run. With one lane nothing is shared and no barrier is met.

var<workgroup> rows_shared: array<f32, LANES * ROWS>;
var<workgroup> rows_index: array<u32, LANES * ROWS>;

// Σ value over the row, the same for all its lanes.
fn row_sum(value: f32, lane: vec3<u32>) -> f32 {
    if LANES == 1u {
        return value;
    }
    let first = lane.y * LANES;
    let mine = first + lane.x;
    rows_shared[mine] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane.x < half {
            rows_shared[mine] += rows_shared[mine + half];
        }
    }
    workgroupBarrier();
    let sum = rows_shared[first];
    workgroupBarrier(); // all have read before anyone writes again
    return sum;
}

struct Largest {
    value: f32,
    index: u32,
}

// The larger, of equals the one of lower index.
fn larger(a: Largest, b: Largest) -> Largest {
    let second = b.value > a.value || (b.value == a.value && b.index < a.index);
    return Largest(select(a.value, b.value, second), select(a.index, b.index, second));
}

// The largest of the row, the same for all its lanes.
fn row_largest(mine_is: Largest, lane: vec3<u32>) -> Largest {
    if LANES == 1u {
        return mine_is;
    }
    let first = lane.y * LANES;
    let mine = first + lane.x;
    rows_shared[mine] = mine_is.value;
    rows_index[mine] = mine_is.index;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane.x < half {
            let a = Largest(rows_shared[mine], rows_index[mine]);
            let b = Largest(rows_shared[mine + half], rows_index[mine + half]);
            let best = larger(a, b);
            rows_shared[mine] = best.value;
            rows_index[mine] = best.index;
        }
    }
    workgroupBarrier();
    let best = Largest(rows_shared[first], rows_index[first]);
    workgroupBarrier(); // all have read before anyone writes again
    return best;
}
