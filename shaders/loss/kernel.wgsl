// A loss by itself, from the logits in a buffer: values [rows]; the signal in planes, each as the logits lie: [batch, outputs,
// positions]. Grid: a workgroup takes ROWS rows, LANES invocations each. Plug: loss_of_row.

@group(0) @binding(0) var<uniform> p: LossParams;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>; // class indices, or numbers by their bits
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> signal: array<N4>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let row = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let n = min(row, p.rows - 1u); // rows past the end compute the last one again, and write nothing
    let value = loss_of_row(n, row < p.rows, lane);
    if lane.x == 0u && row < p.rows {
        values[row] = value;
    }
}

// Where a row starts, and where its elements stand.
fn row_at(n: u32) -> u32 {
    return (n / p.positions * p.outputs) * p.positions + n % p.positions;
}

fn element(at: u32, c: u32) -> u32 {
    return at + c * p.positions;
}

fn logit(at: u32, c: u32) -> f32 {
    return logits[element(at, c)];
}

fn target_bits(i: u32) -> u32 {
    return targets[i];
}

fn put(plane: u32, at: u32, c: u32, value: f32) {
    signal[plane * p.plane_stride + element(at, c)] = N4(storable(vec4<f32>(value)).x);
}

fn look(plane: u32, at: u32, c: u32) -> f32 {
    return f32(signal[plane * p.plane_stride + element(at, c)]);
}
