// Pairs of row and entry, sorted, and the table that their sums are added to.
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(SORTED_BINDING) var<storage, read> sorted: array<vec2<u32>>;

// Row and sample of pair k. Past the last pair, and where no row is selected: a row and a sample that there are not.
fn of_pair(k: u32) -> vec2<u32> {
    if k < p.entries {
        let pair = sorted[k];
        if pair.x < p.rows {
            return vec2<u32>(pair.x, pair.y / p.each);
        }
    }
    return vec2<u32>(p.rows, p.entries);
}

// Value v of a row.
fn add(row: u32, v: u32, g: Value, d: Value) {
    let gradients = vec4<f32>(p.scale * g);
    let diagonals = vec4<f32>(p.scale * d);
    for (var lane = 0u; lane < WIDTH; lane++) {
        let c = v * WIDTH + lane;
        if c < p.width {
            gradient[row * p.width + c] += gradients[lane];
            write_diagonal(row * p.width + c, diagonals[lane]);
        }
    }
}
