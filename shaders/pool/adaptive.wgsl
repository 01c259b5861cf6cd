// Adaptive windows of Q positions over an image of H: the window at q covers places ⌊q H / Q⌋ to ⌈(q + 1) H / Q⌉ - 1. Conversely,
// place y is covered by positions ⌊y Q / H⌋ to ⌈(y + 1) Q / H⌉ - 1.

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
