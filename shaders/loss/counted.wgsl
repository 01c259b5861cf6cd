// The first samples count, as many as a number in memory says.
@group(0) @binding(5) var<storage, read> count: array<u32>;

fn samples() -> u32 {
    return min(count[0], p.samples);
}
