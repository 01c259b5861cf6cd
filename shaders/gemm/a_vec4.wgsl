// a4(i) = A[i .. i + 4] by one vec4 load: every row or column starts at a multiple of four elements.
@group(0) @binding(1) var<storage, read> a_data: array<vec4<N1>>;

fn a4(index: u32) -> vec4<f32> {
    return vec4<f32>(a_data[index / 4u]);
}

fn a4_guarded(index: u32, valid: u32) -> vec4<f32> {
    return vec4<f32>(a_data[index / 4u]); // sizes are multiples of four, so all four are valid
}
