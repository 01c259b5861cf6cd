// part = all in the first n rows, 0 in the others whatever is there. One element of every plane per invocation.

struct RowsParams {
    n: u32, // elements of a plane
    grid_x: u32,
    row: u32,
    planes: u32,
    plane_in: u32,
    plane_out: u32,
    batch: u32,
    unused0: u32,
}

@group(0) @binding(0) var<uniform> p: RowsParams;
@group(0) @binding(1) var<storage, read> all_rows: array<N1>;
@group(0) @binding(2) var<storage, read> count: array<u32>;
@group(0) @binding(3) var<storage, read_write> part: array<N3>;

fn each(i: u32) {
    let counts = divide(i, p.row).x < min(count[0], p.batch);
    for (var plane = 0u; plane < p.planes; plane++) {
        var value = 0.0;
        if counts {
            value = f32(all_rows[plane * p.plane_in + i]);
        }
        part[plane * p.plane_out + i] = N3(storable(vec4<f32>(value)).x);
    }
}
