// shares[i] = c w[i] for the first samples, as many as count says, and 0 behind them; c = factors[count]. One share per invocation.

struct CountedMeanParams {
    n: u32, // samples of the batch
    grid_x: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: CountedMeanParams;
@group(0) @binding(1) var<storage, read> count: array<u32>;
@group(0) @binding(2) var<storage, read> factors: array<f32>; // of a mean over 0 to n samples
@group(0) @binding(3) var<storage, read> sample_weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> shares: array<f32>;

fn each(i: u32) {
    let samples = min(count[0], p.n);
    var share = 0.0;
    if i < samples {
        share = factors[samples] * sample_weights[i];
    }
    shares[i] = share;
}
