// diagonal_at(i): the Hessian diagonal of four parameters.
@group(0) @binding(4) var<storage, read> diagonal: array<vec4<f32>>;

fn diagonal_at(i: u32) -> vec4<f32> {
    return diagonal[i];
}
