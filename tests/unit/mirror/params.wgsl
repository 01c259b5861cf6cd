
// Sizes of a batch of rows.

struct MirrorParams {
    n: u32,
    grid_x: u32,
    features: u32,
    plane_in: u32,
    plane_out: u32,
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

@group(0) @binding(0) var<uniform> p: MirrorParams;

// Where element i of the output comes from.
fn source_of(i: u32) -> u32 {
    let feature = i % p.features;
    return i - feature + (p.features - 1u - feature);
}

fn factor(i: u32) -> f32 {
    return f32(1u + i % p.features % 3u);
}
