// θ_i ← updated(θ_i, g_i, d_i): one optimiser step over a range of parameters, four per invocation. Plugs: updated (rule),
// diagonal_at (diagonal | no_diagonal).

struct UpdateParams {
    vectors: u32, // of the whole model
    grid_x: u32,
    first: u32, // start of the range, and its length
    n: u32,
}

@group(0) @binding(0) var<uniform> p: UpdateParams;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> gradient: array<vec4<f32>>;

fn each(at: u32) {
    take_hyper();
    let i = p.first + at;
    parameters[i] = updated(Fours(i, p.vectors, gradient[i], diagonal_at(i)), parameters[i]);
}
