// samples = how many of the batch count, as the host says.
@group(0) @binding(COUNT_BINDING) var<storage, read> sample_count: array<u32>;

fn samples() -> u32 {
    return min(sample_count[0], p.batch);
}
