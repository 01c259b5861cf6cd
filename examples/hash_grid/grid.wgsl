// A multiresolution hash grid over [-1, 1]²: Müller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash
// Encoding", 2022.
//
//     feature(level, x) = Σ_corners w_corner(x) table[slot(level, corner)]      w: bilinear in the cell of x
//
// The host puts LEVELS, ENTRIES (of a level, a power of two), COARSEST and GROWTH before this text.

// The corners of the cell that holds a point: where their features are in the table, and how much they count.
struct Cell {
    slots: vec4u,
    weights: vec4f,
}

fn cell(level: u32, at: vec2f) -> Cell {
    let cells = floor(COARSEST * pow(GROWTH, f32(level)));
    let scaled = 0.5 * (at + 1.0) * cells;
    let first = min(floor(scaled), vec2f(cells - 1.0));
    let right = scaled - first;
    let left = 1.0 - right;
    let corner = vec2u(first);
    let row = u32(cells) + 1u;
    let slots = vec4u(
        slot(level, row, corner),
        slot(level, row, corner + vec2u(1u, 0u)),
        slot(level, row, corner + vec2u(0u, 1u)),
        slot(level, row, corner + vec2u(1u, 1u)),
    );
    return Cell(slots, vec4f(left.x * left.y, right.x * left.y, left.x * right.y, right.x * right.y));
}

// A grid that fits its part of the table has an entry for each corner, a finer one is hashed.
fn slot(level: u32, row: u32, corner: vec2u) -> u32 {
    let direct = corner.y * row + corner.x;
    let hashed = (corner.x ^ (corner.y * 2654435761u)) & (ENTRIES - 1u);
    return level * ENTRIES + select(hashed, direct, row * row <= ENTRIES);
}
