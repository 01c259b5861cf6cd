// weight(q) = k, the number of elements of the window at q in the image and its padding, which together are PADDED.
fn weight(q: vec2<u32>) -> f32 {
    let size = min(KERNEL, PADDED - q * STRIDE);
    return f32(size.x * size.y);
}
