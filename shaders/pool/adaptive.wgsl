// Windows that share an image of H among Q positions: the one at q covers the places from ⌊q H / Q⌋ to ⌈(q + 1) H / Q⌉. The
// other way round it is the same: place y is covered from position ⌊y Q / H⌋ to ⌈(y + 1) Q / H⌉.

fn first_place(q: vec2<u32>) -> vec2<u32> {
    return q * IMAGE / POSITIONS;
}

fn end_place(q: vec2<u32>) -> vec2<u32> {
    return ((q + 1u) * IMAGE + POSITIONS - 1u) / POSITIONS;
}

// The positions whose windows cover a place.
fn first_position(place: vec2<u32>) -> vec2<u32> {
    return place * POSITIONS / IMAGE;
}

fn end_position(place: vec2<u32>) -> vec2<u32> {
    return ((place + 1u) * POSITIONS + IMAGE - 1u) / IMAGE;
}
