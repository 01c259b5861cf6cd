// rows[n, c, q] = image[n, q, c], without padding channels; one vec4 of every plane per invocation.

@group(0) @binding(1) var<storage, read> image: array<vec4<N1>>;
@group(0) @binding(2) var<storage, read_write> rows: array<N2>;

fn each(i: u32) {
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
