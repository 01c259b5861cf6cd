// packed[packed_index(e)] = weight[e], one element per invocation. Gaps in the packed array are not written and stay zero.

struct PackParams {
    packing: Packing,
    grid_x: u32,
    n: u32, // elements
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> p: PackParams;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;

fn each(e: u32) {
    packed[packed_index(p.packing, e)] = weight[e];
}
