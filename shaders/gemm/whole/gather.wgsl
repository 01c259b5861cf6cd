// Reduces the chunks' sums to gradient and diagonal, four parameters per invocation:
//
//     gradient = scale Σ_chunks sums, plus the stored value if ACCUMULATE      diagonal alike      loss = Σ_chunks losses
//
// then runs the optimiser, if any. Plugs: gather_diagonal (gather_diagonal | gather_no_diagonal), update (gather_update |
// gather_no_update).
// Grid: g.vectors / LANES workgroups, folded into rows of g.grid_x.

struct Gather {
    vectors: u32,
    grid_x: u32,
    chunks: u32,
    losses: u32, // index in the results of the chunks' losses
    sums: u32, // index in the results of the chunks' sums, in vec4s
    scale: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(0) var<uniform> g: Gather;
@group(0) @binding(1) var<storage, read_write> results: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> gradient: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * g.grid_x + group.x) * LANES + lane;
    if i == 0u {
        var loss = 0.0;
        for (var chunk = 0u; chunk < g.chunks; chunk++) {
            loss += results[(g.losses + chunk) / 4u][(g.losses + chunk) % 4u];
        }
        results[0].x = loss;
    }
    if i < g.vectors {
        var value = g.scale * sum_of(0u, i);
        if ACCUMULATE {
            value += gradient[i];
        }
        gradient[i] = value;
        update(i, value, gather_diagonal(i));
    }
}

fn sum_of(plane: u32, i: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var chunk = 0u; chunk < g.chunks; chunk++) {
        sum += results[g.sums + (chunk * PLANES + plane) * g.vectors + i];
    }
    return sum;
}
