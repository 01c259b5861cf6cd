// Visits places first, first + LANES, … of a rectangle in row-major order, without a division per step. Pairs are (row, column).

struct Walk {
    at: vec2<u32>,
    step: vec2<u32>,
    columns: u32,
}

fn walk(first: u32, columns: u32) -> Walk {
    if LANES == 1u {
        return Walk(vec2<u32>(0u), vec2<u32>(0u, 1u), columns);
    }
    let c = max(columns, 1u);
    return Walk(vec2<u32>(first / c, first % c), vec2<u32>(LANES / c, LANES % c), c);
}

fn advance(w: ptr<function, Walk>) {
    (*w).at += (*w).step;
    if (*w).at.y >= (*w).columns {
        (*w).at += vec2<u32>(1u, 0u - (*w).columns);
    }
}
