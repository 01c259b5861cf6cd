// statistics = (mean, 0, 1/√(var + ε)) from running means and variances, one channel per invocation.

@group(0) @binding(1) var<storage, read> running: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;

fn each(i: u32) {
    // Padding channels are as the last.
    let c = min(i, p.channels - 1u);
    statistics[i] = running[c];
    statistics[p.n + i] = 0.0;
    statistics[2u * p.n + i] = 1.0 / sqrt(running[p.variances + c] + p.eps);
}
