// The signal below a pooling layer: place y gathers from the windows q that cover it, with factors f:
//
//     g[y] = Σ_q f g[q]      h[y] = Σ_q f² h[q]      u[y] = Σ_q f u[q]
//
// then through the activation below (signal/leave). ROWS places per workgroup, LANES invocations per place. Plugs: windows, factor.

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let i = min(item, p.n - 1u);
    let e = element(i, IMAGE, POSITIONS);
    let first = first_position(e.place);
    let size = max(end_position(e.place), first) - first;
    var s = Signal();
    var w = walk(lane.x, size.y);
    for (var t = lane.x; t < size.x * size.y; t += LANES) {
        let q = first + w.at;
        let j = e.sample + (q.x * POSITIONS.y + q.y) * VECTORS + e.vector;
        s = gather(s, above_at(j), factor(j, q, e.place));
        advance(&w);
    }
    s = gathered(s, lane);
    if item < p.n && lane.x == 0u {
        leave(i, s);
    }
}
