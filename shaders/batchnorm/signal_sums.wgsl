// Sums over the positions of each sample, for each channel, of what goes back through batch normalisation (batchnorm/signal):
//
//     Σ g, Σ g x̂, Σ h, Σ h x̂, Σ h x̂²; of each u: Σ u, Σ u x̂
//
// as [sample][sum][channel]. LANES invocations share the positions, and a workgroup has ROWS such rows.

@group(0) @binding(2) var<storage, read_write> sums: array<Value>;
@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> statistics: array<Value>; // batchnorm/statistics

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let i = min(item, p.n - 1u);
    let v = i % p.vectors;
    let sample = i / p.vectors;
    var plain = Signal();
    var once = Signal();
    var mixed = Value(0.0); // h x̂
    for (var q = lane.x; q < p.positions; q += LANES) {
        let at = (sample * p.positions + q) * p.vectors + v;
        let here = above_at(at);
        let r = hat(at, v);
        plain = gather(plain, here, Value(1.0));
        once = gather(once, here, r);
        mixed += here.h * r;
    }
    plain = gathered(plain, lane);
    once = gathered(once, lane);
    if HAS_DIAGONAL {
        mixed = narrow(row_sum(mixed, lane));
    }
    if item < p.n && lane.x == 0u {
        let first = sample * SUMS * p.vectors + v;
        sums[first] = plain.g;
        sums[first + p.vectors] = once.g;
        if HAS_DIAGONAL {
            sums[first + 2u * p.vectors] = plain.h;
            sums[first + 3u * p.vectors] = mixed;
            sums[first + 4u * p.vectors] = once.h;
        }
        for (var r = 0u; r < RANK; r++) {
            sums[first + (5u + 2u * r) * p.vectors] = plain.u[r];
            sums[first + (6u + 2u * r) * p.vectors] = once.u[r];
        }
    }
}

fn hat(at: u32, v: u32) -> Value {
    return standardized(Value(x[at]), statistics[v], statistics[p.vectors + v], statistics[2u * p.vectors + v]);
}
