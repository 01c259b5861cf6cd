// Four parameters take one step of the optimiser:
//
//     θ ← θ - η λ θ  (decoupled weight decay),  then  θ ← θ - η step(g, d)
//
// Plug: step (sgd | adaptive).

@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> hyper: Hyper;

fn update(i: u32, g: vec4<f32>, d: vec4<f32>) {
    let moved = step_of(i, g, d);
    let decayed = parameters[i] * (1.0 - hyper.learning_rate * hyper.weight_decay);
    parameters[i] = decayed - hyper.learning_rate * moved;
}
