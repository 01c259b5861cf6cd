// Gradient and diagonal of parameters that each multiply a factor b at every position q of every sample n:
//
//     gradient Σ_n Σ_q g b        diagonal Σ_n [Σ_q h b² + Σ_j (Σ_q u_j b)²]
//
// The batch is split, and each split writes its sums as [split][component][entry][channel]; component 0 is the gradient, 1 the
// diagonal. An invocation sums ENTRIES entries at once, because they share the signal; LANES invocations divide the positions
// between them, and a workgroup has ROWS such rows. Plugs: part_of, factor.

@group(0) @binding(2) var<storage, read_write> sums: array<Value>;

// The element at position q of sample n.
fn index_of(n: u32, q: vec2<u32>, v: u32) -> u32 {
    return ((n * p.positions.x + q.x) * p.row + q.y) * p.vectors + v;
}

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let i = min(item, p.n - 1u);
    let v = i % p.vectors;
    let sets = (p.entries + ENTRIES - 1u) / ENTRIES;
    let first = i / p.vectors % sets * ENTRIES;
    let split = i / p.vectors / sets;
    let count = p.positions.x * p.positions.y;
    var parts: array<vec2<u32>, ENTRIES>;
    for (var k = 0u; k < ENTRIES; k++) {
        parts[k] = part_of(min(first + k, p.entries - 1u)); // sums of entries past the last are discarded
    }
    var gradient: array<Value, ENTRIES>;
    var diagonal: array<Value, ENTRIES>;
    for (var sample = 0u; sample < p.samples; sample++) {
        let n = split * p.samples + sample;
        var s = array<Signal, ENTRIES>();
        if n < p.batch {
            var w = walk(lane.x, p.positions.y);
            for (var q = lane.x; q < count; q += LANES) {
                let here = above_at(index_of(n, w.at, v));
                for (var k = 0u; k < ENTRIES; k++) {
                    s[k] = gather(s[k], here, factor(parts[k], n, w.at, v));
                }
                advance(&w);
            }
        }
        for (var k = 0u; k < ENTRIES; k++) {
            let sum = gathered(s[k], lane);
            gradient[k] += sum.g;
            diagonal[k] += sum.h;
            for (var r = 0u; r < RANK; r++) {
                diagonal[k] += sum.u[r] * sum.u[r];
            }
        }
    }
    if item < p.n && lane.x == 0u {
        let numbers = select(1u, 2u, HAS_DIAGONAL);
        for (var k = 0u; k < ENTRIES; k++) {
            if first + k < p.entries {
                let at = (split * numbers * p.entries + first + k) * p.stride_out + v;
                sums[at] = gradient[k];
                if HAS_DIAGONAL {
                    sums[at + p.entries * p.stride_out] = diagonal[k];
                }
            }
        }
    }
}
