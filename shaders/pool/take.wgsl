// z = x where the maximum of each window was, four channels per invocation. Plugs: windows, tap_of.

@group(0) @binding(1) var<storage, read> x: array<N1>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<N2>>;

@compute @workgroup_size(LANES * ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let i = (group.y * p.grid_x + group.x) * ROWS + lane_of(index).y;
    if i >= p.n {
        return;
    }
    let e = element(i, POSITIONS, IMAGE);
    let tap = tap_of(i);
    var taken: vec4<f32>;
    for (var c = 0u; c < 4u; c++) {
        let at = e.place * STRIDE + vec2<u32>(tap[c] / KERNEL.y, tap[c] % KERNEL.y) - BEFORE;
        taken[c] = f32(x[4u * (e.sample + (at.x * IMAGE.y + at.y) * VECTORS + e.vector) + c]);
    }
    z[i] = vec4<N2>(storable(taken));
}
