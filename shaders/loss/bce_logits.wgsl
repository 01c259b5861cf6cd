// l = (1 - t) softplus(z) + t softplus(-z),  l' = (1 - t) σ(z) - t σ(-z),  l'' = σ(z) σ(-z)
// In this form there is no cancellation when a confident prediction is right.
const HEADS: u32 = 1u;

fn term(z: f32, unused: f32, t: f32) -> Part {
    let s = hs_sigmoid_pair(z);
    let other = 1.0 - t;
    let value = other * hs_softplus(z) + t * hs_softplus(-z);
    return Part(value, vec2<f32>(other * s.x - t * s.y, 0.0), vec2<f32>(s.x * s.y, 0.0));
}
