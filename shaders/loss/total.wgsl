// total = Σ value over all rows, if one workgroup has them all, in the order of reduce.wgsl.
@group(0) @binding(3) var<storage, read_write> total: array<f32>;

var<workgroup> shares: array<f32, SHARES>;

// Invocations without a row pass 0. All invocations must call it together, except for a single row (ALONE).
fn leave_value(value: f32, row: u32, counts: bool, index: u32) {
    var sum = value;
    if !ALONE {
        shares[index] = value;
        for (var half = SHARES / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if index < half {
                shares[index] += shares[index + half];
            }
        }
        sum = shares[index];
    }
    if index == 0u {
        total[0] = sum;
    }
}
