// One step of the optimiser over the whole model, four parameters an invocation:
//
//     θ ← θ - η λ θ  (decoupled weight decay),  then  θ ← θ - η step(g)
//
// Plug: step (sgd | adaptive).

struct UpdateParams {
    vectors: u32,
    grid_x: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: UpdateParams;
@group(0) @binding(1) var<storage, read> hyper: Hyper;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.vectors {
        let moved = step_of(i, gradient[i]);
        let decayed = parameters[i] * (1.0 - hyper.learning_rate * hyper.weight_decay);
        parameters[i] = decayed - hyper.learning_rate * moved;
    }
}
