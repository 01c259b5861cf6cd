// One step of the optimiser over a run of parameters, four an invocation, from the gradient and diagonal that are there.
// Where the rule reads no diagonal, the gradient is bound in its place.

struct UpdateParams {
    vectors: u32,
    grid_x: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: UpdateParams;
@group(0) @binding(1) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> diagonal: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.vectors {
        update(i, gradient[i], diagonal[i]);
    }
}
