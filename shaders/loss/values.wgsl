// values[row] = value: each row's loss, summed by another kernel.
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

fn leave_value(value: f32, row: u32, counts: bool, index: u32) {
    if counts {
        values[row] = value;
    }
}
