// packed[packed_index(e)] = weight[e], one element per invocation. Gaps in the packed array are not written and stay zero.

struct PackParams {
    packing: Packing,
    grid_x: u32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<uniform> p: PackParams;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let e = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if e < p.packing.elements {
        packed[packed_index(p.packing, e)] = weight[e];
    }
}
