// z[l F + f] = Σ_c share_c W[row_c, f] over the corners c of the point's cell in level l (hashgrid/grid), one number per
// invocation.
@group(0) @binding(2) var<storage, read_write> z: array<N2>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;

fn each(i: u32) {
    let at = divide(i, p.width); // level through all samples, feature
    let which = divide(at.x, p.levels); // point, level
    var sum = 0.0;
    for (var corner = 0u; corner < CORNERS; corner++) {
        let row = corner_row(which.x, which.y, corner);
        sum += corner_share(which.x, which.y, corner, AXES) * weight[row * p.width + at.y];
    }
    z[i] = N2(storable(vec4<f32>(sum)).x);
}
