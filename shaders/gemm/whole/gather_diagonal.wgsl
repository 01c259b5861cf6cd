// diagonal = scale Σ_chunks sums, plus the stored value if ACCUMULATE; four parameters
@group(0) @binding(DIAGONAL) var<storage, read_write> diagonal: array<vec4<f32>>;

fn gather_diagonal(i: u32) -> vec4<f32> {
    var value = g.scale * sum_of(1u, i);
    if ACCUMULATE {
        value += diagonal[i];
    }
    diagonal[i] = value;
    return value;
}
