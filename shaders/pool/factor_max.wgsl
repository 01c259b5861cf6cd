// factor = 1 if this place is the maximum of the window at q, else 0. Plug: tap_of.
fn factor(j: u32, q: vec2<u32>, place: vec2<u32>) -> vec4<f32> {
    let within = place + BEFORE - q * STRIDE;
    let here = tap_of(j) == vec4<u32>(within.x * KERNEL.y + within.y);
    return select(vec4<f32>(0.0), vec4<f32>(1.0), here);
}
