// Zeros for all rows, before sums are added, or for a signal: one number per invocation.
@group(0) @binding(1) var<storage, read_write> numbers: array<N1>;

fn each(i: u32) {
    numbers[i] = N1(0.0);
}
