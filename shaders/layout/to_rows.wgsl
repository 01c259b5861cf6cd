// rows[n, c, q] = image[n, q, c], without padding channels; one vec4 of every plane per invocation.

@group(0) @binding(1) var<storage, read> image: array<vec4<N1>>;
@group(0) @binding(2) var<storage, read_write> rows: array<N2>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        let at = place(i);
        for (var plane = 0u; plane < p.planes; plane++) {
            let to = plane * p.plane_rows + at.x;
            let v = vec4<N2>(storable(vec4<f32>(image[plane * p.plane_image + i])));
            rows[to] = v.x;
            if at.y + 1u < p.channels {
                rows[to + p.positions] = v.y;
            }
            if at.y + 2u < p.channels {
                rows[to + 2u * p.positions] = v.z;
            }
            if at.y + 3u < p.channels {
                rows[to + 3u * p.positions] = v.w;
            }
        }
    }
}
