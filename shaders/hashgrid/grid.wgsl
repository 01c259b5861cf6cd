// The corners of the cells that a point lies in: their rows in the table, and how much they count. Corner c is the further one
// along axis k where bit k of c is set. AXES is 2 or 3. The points are row_sums/input.

const CORNERS: u32 = 1u << AXES;

// Along an axis: the nearer corner, and how far behind it the point is, in cells. NaN stays NaN.
struct Along {
    first: u32,
    right: f32,
}

fn cells_of(level: u32) -> u32 {
    return p.cells[level / 4u][level % 4u];
}

fn along(point: u32, axis: u32, level: u32) -> Along {
    let cells = cells_of(level);
    let given = x[point * AXES + axis];
    let spoilt = hs_is_nan(given);
    let t = clamp(select(given, 0.0, spoilt), 0.0, 1.0) * f32(cells);
    let first = min(u32(t), cells - 1u);
    return Along(first, hs_nan_where(spoilt, t - f32(first)));
}

// The row of a corner: by its place where a level's corners fit the table, else by its hash.
fn corner_row(point: u32, level: u32, corner: u32) -> u32 {
    var primes = vec3<u32>(1u, 2654435761u, 805459861u);
    var step = 1u;
    var place = 0u;
    var hash = 0u;
    for (var axis = 0u; axis < AXES; axis++) {
        let q = along(point, axis, level).first + ((corner >> axis) & 1u);
        place += q * step;
        step *= cells_of(level) + 1u;
        hash ^= q * primes[axis];
    }
    return level * p.table + select(hash & (p.table - 1u), place, level < p.dense);
}

// The product of the corner's shares along all axes but one; AXES for none left out.
fn corner_share(point: u32, level: u32, corner: u32, without: u32) -> f32 {
    var share = 1.0;
    for (var axis = 0u; axis < AXES; axis++) {
        if axis != without {
            let right = along(point, axis, level).right;
            share *= select(1.0 - right, right, ((corner >> axis) & 1u) == 1u);
        }
    }
    return share;
}
