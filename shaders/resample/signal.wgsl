// The signal below z[y, x] = Σ_i Σ_j A[y, i] B[x, j] x[i, j]:
//
//     g[i, j] = Σ_y Σ_x A[y, i] B[x, j] g[y, x]      h[i, j] = Σ_y Σ_x A² B² h[y, x]      u as g
//
// then through the activation below (signal/leave). The table holds Aᵀ and Bᵀ. ROWS places per workgroup, LANES invocations per
// place.

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let i = min(item, p.n - 1u);
    let e = element(i);
    let numbers = numbers_of(e.place);
    var s = Signal();
    var w = walk(lane.x, numbers.count.y);
    for (var t = lane.x; t < numbers.count.x * numbers.count.y; t += LANES) {
        s = gather(s, above_at(index_at(e, place_of(numbers, w.at))), Value(weight_of(numbers, w.at)));
        advance(&w);
    }
    s = gathered(s, lane);
    if item < p.n && lane.x == 0u {
        leave(i, s);
    }
}
