// l = (1 - t) softplus(z) + w t softplus(-z),  l' = (1 - t) σ(z) - w t σ(-z),  l'' = (1 - t + w t) σ(z) σ(-z)
// w: the weight of the output's positive targets. Plug: class_weight.
const HEADS: u32 = 1u;

fn read_row(n: u32, at: u32, lane: vec3<u32>) {}

fn part(n: u32, at: u32, k: u32) -> Part {
    let z = logit(at, k);
    let t = bitcast<f32>(target_bits(n * p.outputs + k));
    let s = hs_sigmoid_pair(z);
    let other = 1.0 - t;
    let positive = class_weight(k) * t;
    let spoilt = !hs_is_finite(z);
    let value = hs_nan_where(spoilt, other * hs_softplus(z) + positive * hs_softplus(-z));
    let g = hs_nan_where(spoilt, other * s.x - positive * s.y);
    let h = hs_nan_where(spoilt, (other + positive) * (s.x * s.y));
    return Part(value, vec2<f32>(g, 0.0), vec2<f32>(h, 0.0));
}
