// Of each split of the batch's rows and each channel: m, d, Σ (x - mean)², with mean = m + d in two numbers. One value of channels per
// invocation. Plug: samples.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> moments: array<Value>;

// Rows whose sum is taken by itself: shorter chains lose less to rounding.
const CHAIN: u32 = 64u;

fn each(i: u32) {
    let v = i % p.vectors;
    let split = i / p.vectors;
    let first = min(split * p.split, rows());
    let last = min(first + p.split, rows());
    let n = f32(max(last - first, 1u));
    let m = sums(first, last, v, Value(0.0))[0] / n;
    let apart = sums(first, last, v, m);
    let d = apart[0] / n;
    let at = split * 3u * p.vectors + v;
    moments[at] = m;
    moments[at + p.vectors] = d;
    moments[at + 2u * p.vectors] = apart[1] - apart[0] * d;
}

// Σ (x - m) and Σ (x - m)² over rows.
fn sums(first: u32, last: u32, v: u32, m: Value) -> array<Value, 2> {
    var all = array<Value, 2>();
    for (var start = first; start < last; start += CHAIN) {
        var chain = array<Value, 2>(Value(0.0), Value(0.0));
        for (var row = start; row < min(start + CHAIN, last); row++) {
            let apart = Value(x[row * p.vectors + v]) - m;
            chain[0] += apart;
            chain[1] += apart * apart;
        }
        all[0] += chain[0];
        all[1] += chain[1];
    }
    return all;
}
