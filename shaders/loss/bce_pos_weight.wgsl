// l = (1 - t) softplus(z) + w t softplus(-z),  l' = (1 - t) σ(z) - w t σ(-z),  l'' = (1 - t + w t) σ(z) σ(-z)
// w: the weight of the output's positive targets. Plug: class_weight.

fn read_row(n: u32, at: u32, lane: vec3<u32>) {}

fn share(n: u32, at: u32, c: u32) -> Share {
    let z = logit(at, c);
    let t = bitcast<f32>(target_bits(n * p.outputs + c));
    let s = hs_sigmoid_pair(z);
    let other = 1.0 - t;
    let positive = class_weight(c) * t;
    let value = other * hs_softplus(z) + positive * hs_softplus(-z);
    let spoilt = !hs_is_finite(z);
    return Share(
        hs_nan_where(spoilt, value),
        hs_nan_where(spoilt, other * s.x - positive * s.y),
        hs_nan_where(spoilt, (other + positive) * (s.x * s.y)),
    );
}
