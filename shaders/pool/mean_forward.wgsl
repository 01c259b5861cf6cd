// z = Σ x / k over each window of k counted elements. ROWS results per workgroup, LANES invocations per result. Plug: windows.

@group(0) @binding(1) var<storage, read> x: array<vec4<N1>>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<N2>>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = lane_of(index);
    let item = (group.y * p.grid_x + group.x) * ROWS + lane.y;
    let i = min(item, p.n - 1u);
    let e = element(i, POSITIONS, IMAGE);
    let first = first_place(e.place);
    let size = end_place(e.place) - first;
    let corner = e.sample + (first.x * IMAGE.y + first.y) * VECTORS + e.vector;
    var sum = vec4<f32>(0.0);
    var w = walk(lane.x, size.y);
    for (var t = lane.x; t < size.x * size.y; t += LANES) {
        sum += vec4<f32>(x[corner + (w.at.x * IMAGE.y + w.at.y) * VECTORS]);
        advance(&w);
    }
    sum = row_sum(sum, lane);
    if item < p.n && lane.x == 0u {
        z[i] = vec4<N2>(storable(sum / weight(e.place)));
    }
}
