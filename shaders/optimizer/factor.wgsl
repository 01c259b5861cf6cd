// factor = factor_of(all sums joined), by one workgroup, in a fixed order. FACTOR: which factor of those that `limits.wgsl` has a
// place for. Plugs: joined, row_joined (sum | largest); factor_of (bound | itself).

struct FactorParams {
    n: u32, // sums
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(0) var<uniform> p: FactorParams;
@group(0) @binding(2) var<storage, read> sums: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var i = lane; i < p.n; i += LANES) {
        sum = joined(sum, sums[i]);
    }
    let total = row_joined(sum, lane_of(lane));
    if lane == 0u {
        memory.unused[2][FACTOR] = bitcast<u32>(factor_of(total));
    }
}
