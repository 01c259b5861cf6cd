// l = d²,  l' = 2 d / s,  l'' = 2 / s²,  d = (z - t) / s,  with s² = z² + ε held constant; ROOT = √ε
const HEADS: u32 = 1u;

fn term(z: f32, unused: f32, t: f32) -> Part {
    // Squares of parts that are at most 1 do not overflow.
    let most = max(abs(z), ROOT);
    let parts = vec2<f32>(z, ROOT) / most;
    let s = most * sqrt(dot(parts, parts));
    let d = (z - t) / s;
    return Part(d * d, vec2<f32>(2.0 * d / s, 0.0), vec2<f32>(2.0 / s / s, 0.0));
}
