// The walk along a dense layer's sum: one segment, all of k.
struct Place {
    split: u32,
    first: u32,
    last: u32,
    begin: u32,
    end: u32,
}

fn arrive(place: ptr<function, Place>, split: u32, tile: u32, m0: u32, n0: u32) {
    *place = Place(0u, 0u, 1u, 0u, g.k);
}

fn enter(place: ptr<function, Place>, segment: u32) -> bool {
    return true;
}

fn row_at(place: ptr<function, Place>, m0: u32, i: u32) -> u32 {
    return min(m0 + i, g.m - 1u);
}
