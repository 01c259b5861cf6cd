// weight(q) = k, the number of places that the window at q covers.
fn weight(q: vec2<u32>) -> f32 {
    let size = end_place(q) - first_place(q);
    return f32(size.x * size.y);
}
