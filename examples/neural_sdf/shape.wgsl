// The distance to a ball within a ring: what the network learns.
fn distance(p: vec3<f32>) -> f32 {
    let ring = length(vec2(length(p.xz) - 0.62, p.y)) - 0.2;
    return min(ring, length(p) - 0.28);
}
