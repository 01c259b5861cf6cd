// diagonal[i] = value, or diagonal[i] += value if ACCUMULATE: where unpack.wgsl writes the diagonal.
@group(0) @binding(3) var<storage, read_write> diagonal: array<f32>;

fn write_diagonal(index: u32, value: f32) {
    if ACCUMULATE {
        diagonal[index] += value;
    } else {
        diagonal[index] = value;
    }
}
