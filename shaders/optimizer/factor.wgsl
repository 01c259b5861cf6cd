// factor = min(1, √(most / Σ sums)), without the root unless SQUARES, 0 where the sum is not finite: by one workgroup, in a fixed order. FACTOR: which factor and
// which `most` of those that `limits.wgsl` has a place for.

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
        sum += sums[i];
    }
    let total = row_sum(vec4<f32>(sum), lane_of(lane)).x;
    if lane == 0u {
        memory.unused[2][FACTOR] = bitcast<u32>(factor_of(total));
    }
}

fn factor_of(sum: f32) -> f32 {
    let most = bitcast<f32>(memory.unused[1][FACTOR]);
    if (bitcast<u32>(sum) & 0x7f800000u) == 0x7f800000u {
        return 0.0;
    }
    if sum > most {
        let part = most / sum;
        return select(part, sqrt(part), SQUARES);
    }
    return 1.0;
}
