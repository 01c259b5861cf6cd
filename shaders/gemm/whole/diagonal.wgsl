// diagonal[i] = value, or diagonal[i] += value if ACCUMULATE
@group(0) @binding(DIAGONAL) var<storage, read_write> diagonal: array<f32>;

fn leave_diagonal(i: u32, value: f32) {
    if ACCUMULATE {
        diagonal[i] += value;
    } else {
        diagonal[i] = value;
    }
}

fn diagonal_at(i: u32) -> vec4<f32> {
    return vec4<f32>(diagonal[4u * i], diagonal[4u * i + 1u], diagonal[4u * i + 2u], diagonal[4u * i + 3u]);
}
