// A loss by itself, from the logits; the signal in planes, each as the logits lie: [batch, outputs, positions]. Grid: a
// workgroup takes ROWS rows, LANES invocations each. Plugs: loss_of_row; logit_at (logits | gemm/join/logits_…); logit and
// put (rows | rows_tangent); leave_value (values | total).

@group(0) @binding(0) var<uniform> p: LossParams;
@group(0) @binding(2) var<storage, read> targets: array<u32>; // class indices, or the bits of f32 targets
@group(0) @binding(4) var<storage, read_write> signal: array<N4>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    take((group.y * p.grid_x + group.x) * ROWS, ROWS, index);
}

// Processes a workgroup's rows, `count` from `first` on. Invocations without a row recompute the last one and write nothing.
fn take(first: u32, count: u32, index: u32) {
    let lane = lane_of(index);
    let end = min(first + count, p.rows);
    let row = first + lane.y;
    let value = loss_of_row(min(row, end - 1u), row < end, lane);
    let counts = lane.x == 0u && row < end;
    leave_value(select(0.0, value, counts), row, counts, index);
}

// The index of a row's first element, and of its element c.
fn row_at(n: u32) -> u32 {
    return (n / p.positions * p.outputs) * p.positions + n % p.positions;
}

fn element(at: u32, c: u32) -> u32 {
    return at + c * p.positions;
}

fn target_bits(i: u32) -> u32 {
    return targets[i];
}
