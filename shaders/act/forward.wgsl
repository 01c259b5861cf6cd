// z = f(a), one element per invocation.

struct ElementwiseParams {
    n: u32,
    grid_x: u32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: ElementwiseParams;
@group(0) @binding(1) var<storage, read> a: array<N1>;
@group(0) @binding(2) var<storage, read_write> z: array<N2>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        z[i] = N2(storable(vec4<f32>(act(f32(a[i])))).x);
    }
}
