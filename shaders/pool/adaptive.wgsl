// Windows that share an image of H among Q positions: the one at q covers the places from ⌊q H / Q⌋ to ⌈(q + 1) H / Q⌉. The
// other way round it is the same: place y is covered from position ⌊y Q / H⌋ to ⌈(y + 1) Q / H⌉.

fn first_place(q: vec2<u32>) -> vec2<u32> {
    return q * p.image / p.positions;
}

fn end_place(q: vec2<u32>) -> vec2<u32> {
    return ((q + 1u) * p.image + p.positions - 1u) / p.positions;
}

// The positions whose windows cover a place.
fn first_position(place: vec2<u32>) -> vec2<u32> {
    return place * p.positions / p.image;
}

fn end_position(place: vec2<u32>) -> vec2<u32> {
    return ((place + 1u) * p.positions + p.image - 1u) / p.image;
}
