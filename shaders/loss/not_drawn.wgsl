// No vector is random.
struct Draw {
    unused: f32,
}

fn draw_of(n: u32, s: Softmax, l: Leading, at: u32, lane: vec3<u32>) -> Draw {
    return Draw(0.0);
}

fn drawn(n: u32, s: Softmax, draw: Draw, c: u32, z: f32, u: f32) -> f32 {
    return 0.0;
}
