// θ ← updated(θ, g, d) on four parameters; the previous kernel has counted the step.
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>;

fn update(i: u32, gradient_of: vec4<f32>, diagonal_of: vec4<f32>) {
    take_hyper();
    parameters[i] = updated(Fours(i, g.vectors, gradient_of, diagonal_of), parameters[i]);
}
