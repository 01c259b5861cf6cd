// Gradient and diagonal of parameters that each multiply something, b, at every position q of every sample n:
//
//     gradient Σ_n Σ_q g b        diagonal Σ_n [Σ_q h b² + Σ_j (Σ_q u_j b)²]
//
// The batch is split, and each split leaves its sums: [split][number][entry][channel], number 0 the gradient, 1 the
// diagonal. ROWS sums a workgroup, LANES invocations each. Plugs: part_of, factor.

@group(0) @binding(2) var<storage, read_write> sums: array<Value>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let i = min(item, p.n - 1u);
    let v = i % p.vectors;
    let entry = i / p.vectors % p.entries;
    let split = i / p.vectors / p.entries;
    let part = part_of(entry);
    let count = p.positions.x * p.positions.y;
    var gradient = Value(0.0);
    var diagonal = Value(0.0);
    for (var k = 0u; k < p.samples; k++) {
        let n = split * p.samples + k;
        var s = Signal();
        if n < p.batch {
            var w = walk(lane.x, p.positions.y);
            for (var q = lane.x; q < count; q += LANES) {
                gather(&s, (n * count + q) * p.vectors + v, factor(part, n, w.at, v));
                advance(&w);
            }
        }
        s = gathered(s, lane);
        gradient += s.g;
        diagonal += s.h;
        for (var r = 0u; r < RANK; r++) {
            diagonal += s.u[r] * s.u[r];
        }
    }
    if item < p.n && lane.x == 0u {
        let numbers = select(1u, 2u, HAS_DIAGONAL);
        let at = (split * numbers * p.entries + entry) * p.stride_out + v;
        sums[at] = gradient;
        if HAS_DIAGONAL {
            sums[at + p.entries * p.stride_out] = diagonal;
        }
    }
}
