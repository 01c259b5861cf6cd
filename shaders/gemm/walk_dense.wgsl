// Σ over a dense layer's sum: one segment with all of k.
struct Place {
    unused: u32,
}

fn span_of(split: u32, tile: u32) -> Span {
    return Span(0u, 0u, 1u, 0u, g.k);
}

fn passes(tile: u32, segment: u32) -> bool {
    return false;
}

fn arrive(place: ptr<function, Place>, m0: u32, n0: u32, rows: u32) {}

fn enter(place: ptr<function, Place>, segment: u32, rows: u32) -> bool {
    return true;
}

fn locate(place: ptr<function, Place>, k: u32) {}

fn next_k(place: ptr<function, Place>) {}

fn row_at(place: ptr<function, Place>, m0: u32, i: u32) -> u32 {
    return min(m0 + i, g.m - 1u);
}
