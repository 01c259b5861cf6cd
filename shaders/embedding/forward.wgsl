// z[c, q] = W[x[q], c], NaN where x[q] is no row: four channels of a position per invocation.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<N2>>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;

fn number(row: u32, c: u32) -> f32 {
    if c >= p.width {
        return 0.0;
    }
    let none = row == NO_ROW;
    return hs_nan_where(none, weight[select(row, 0u, none) * p.width + c]);
}

fn each(i: u32) {
    let at = divide(i, p.values); // position, vec4 of channels
    let row = row_of(x[at.x]);
    let c = 4u * at.y;
    let four = vec4<f32>(number(row, c), number(row, c + 1u), number(row, c + 2u), number(row, c + 3u));
    z[i] = vec4<N2>(storable(four));
}
