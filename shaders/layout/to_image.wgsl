// image[n, q, c] = rows[n, c, q], zero in padding channels; one vec4 of every plane per invocation.

@group(0) @binding(1) var<storage, read> rows: array<N1>;
@group(0) @binding(2) var<storage, read_write> image: array<vec4<N2>>;

fn each(i: u32) {
    let at = place(i);
    for (var plane = 0u; plane < p.planes; plane++) {
        let source = plane * p.plane_rows + at.x;
        var v = vec4<f32>(f32(rows[source]), 0.0, 0.0, 0.0);
        if at.y + 1u < p.channels {
            v.y = f32(rows[source + p.positions]);
        }
        if at.y + 2u < p.channels {
            v.z = f32(rows[source + 2u * p.positions]);
        }
        if at.y + 3u < p.channels {
            v.w = f32(rows[source + 3u * p.positions]);
        }
        image[plane * p.plane_image + i] = vec4<N2>(storable(v));
    }
}
