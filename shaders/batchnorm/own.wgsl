// own(sample, k, v) = (Σ u_k, Σ u_k x̂) over a sample's positions (batchnorm/signal_sums).
@group(0) @binding(5) var<storage, read> sums: array<Value>;

fn own(sample: u32, k: u32, v: u32) -> array<Value, 2> {
    let at = (sample * SUMS + 5u + 2u * k) * p.vectors + v;
    return array<Value, 2>(sums[at], sums[at + p.vectors]);
}
