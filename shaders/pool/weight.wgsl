// weight(q) = k, the number of elements that the window at q counts in its mean.
fn weight(q: vec2<u32>) -> f32 {
    if COUNT_PADDING {
        return f32(KERNEL.x * KERNEL.y);
    }
    let size = end_place(q) - first_place(q);
    return f32(size.x * size.y);
}
