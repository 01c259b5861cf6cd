// l = (z - t)²,  l' = 2 (z - t),  l'' = 2
const HEADS: u32 = 1u;

fn term(z: f32, unused: f32, t: f32) -> Part {
    let d = z - t;
    return Part(d * d, vec2<f32>(2.0 * d, 0.0), vec2<f32>(2.0, 0.0));
}
