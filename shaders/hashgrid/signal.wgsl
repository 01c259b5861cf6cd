// The signal at the points, where somebody asks for it. Along an axis k a feature is linear within a cell:
//
//     g_k = Σ J g      h_k = Σ J² h      u_k = Σ J u      J = cells Σ_c ± (share of c along the other axes) W[row_c, f]
//
// over all levels and features; nothing where the point is clamped. One number of a point per invocation.
@group(0) @binding(4) var<storage, read> weight: array<f32>;

fn each(i: u32) {
    let at = divide(i, AXES); // point, axis
    var s = Signal();
    let clamped = !hs_is_nan(x[i]) && ((x[i] < 0.0) || (x[i] > 1.0));
    for (var k = 0u; k < p.levels * p.width; k++) {
        let which = divide(k, p.width); // level, feature
        var slope = 0.0;
        for (var corner = 0u; corner < CORNERS; corner++) {
            let share = corner_share(at.x, which.x, corner, at.y);
            let sign = select(-1.0, 1.0, ((corner >> at.y) & 1u) == 1u);
            slope += sign * share * weight[corner_row(at.x, which.x, corner) * p.width + which.y];
        }
        let factor = select(slope * f32(cells_of(which.x)), 0.0, clamped);
        s = gather(s, above_at(at.x * p.levels * p.width + k), factor);
    }
    leave(i, s);
}
