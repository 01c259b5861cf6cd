// Windows that slide: the one at position q covers the places from q·stride − before on, kernel of them, that exist.

fn first_place(q: vec2<u32>) -> vec2<u32> {
    return max(q * p.stride, p.before) - p.before;
}

fn end_place(q: vec2<u32>) -> vec2<u32> {
    return min(q * p.stride + p.kernel, p.image + p.before) - p.before;
}

// The positions whose windows cover a place.
fn first_position(place: vec2<u32>) -> vec2<u32> {
    return (max(place + p.before + 1u, p.kernel) - p.kernel + p.stride - 1u) / p.stride;
}

fn end_position(place: vec2<u32>) -> vec2<u32> {
    return min((place + p.before) / p.stride + 1u, p.positions);
}
