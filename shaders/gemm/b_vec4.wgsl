// b4(i) = B[i .. i + 4] by one vec4 load: every row or column starts at a multiple of four elements.
@group(0) @binding(2) var<storage, read> b_data: array<vec4<N2>>;

fn b4(index: u32) -> vec4<f32> {
    return vec4<f32>(b_data[index / 4u]);
}

