// Zeros for all rows, before sums are added: one number per invocation.
@group(0) @binding(1) var<storage, read_write> numbers: array<f32>;

fn each(i: u32) {
    numbers[i] = 0.0;
}
