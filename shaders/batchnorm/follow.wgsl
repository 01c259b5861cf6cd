// running ← running + momentum (batch's - running), of mean and variance; as they are where no sample counts. One channel per
// invocation. Plug: samples.

@group(0) @binding(1) var<storage, read_write> running: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>; // batchnorm/statistics

fn each(c: u32) {
    if samples() == 0u {
        return;
    }
    let plane = p.vectors * 4u;
    let mean = statistics[c] + statistics[plane + c];
    running[c] += p.momentum * (mean - running[c]);
    let place = p.variances + c;
    running[place] += p.momentum * (statistics[3u * plane + c] - running[place]);
}
