// Windows that slide: the one at position q covers the places from q·stride − before on, kernel of them, that exist.

const STRIDE = vec2<u32>(STRIDE_ROWS, STRIDE_COLUMNS);

fn first_place(q: vec2<u32>) -> vec2<u32> {
    return max(q * STRIDE, p.before) - p.before;
}

fn end_place(q: vec2<u32>) -> vec2<u32> {
    return min(q * STRIDE + p.kernel, p.image + p.before) - p.before;
}

// The positions whose windows cover a place.
fn first_position(place: vec2<u32>) -> vec2<u32> {
    return (max(place + p.before + 1u, p.kernel) - p.kernel + STRIDE - 1u) / STRIDE;
}

fn end_position(place: vec2<u32>) -> vec2<u32> {
    return min((place + p.before) / STRIDE + 1u, p.positions);
}
