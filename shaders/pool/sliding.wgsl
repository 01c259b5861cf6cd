// Sliding windows: the window at q covers places q·stride - before to q·stride - before + kernel - 1, as far as they exist.

fn first_place(q: vec2<u32>) -> vec2<u32> {
    return max(q * STRIDE, BEFORE) - BEFORE;
}

fn end_place(q: vec2<u32>) -> vec2<u32> {
    return min(q * STRIDE + KERNEL, IMAGE + BEFORE) - BEFORE;
}

// The positions whose windows cover a place.
fn first_position(place: vec2<u32>) -> vec2<u32> {
    return (max(place + BEFORE + 1u, KERNEL) - KERNEL + STRIDE - 1u) / STRIDE;
}

fn end_position(place: vec2<u32>) -> vec2<u32> {
    return min((place + BEFORE) / STRIDE + 1u, POSITIONS);
}
