// Proximal policy optimisation: with r = e^min(log_ratio, 80) and the advantage A
//
//     value = -min(r A, clip(r, 1 - CLIP, 1 + CLIP) A)      force = -A r, or 0 where the clipped branch acts
//
// The derivatives of log π, s and its own s', become g = force s and h = force (s² + s').

// (value, force)
fn surrogate(log_ratio: f32, advantage: f32) -> vec2<f32> {
    let ratio = hs_exp(min(log_ratio, 80.0));
    let good = advantage > 0.0;
    let bound = select(1.0 - CLIP, 1.0 + CLIP, good);
    let beyond = select(bound - ratio, ratio - bound, good);
    return -advantage * select(vec2<f32>(ratio), vec2<f32>(bound, 0.0), beyond > 0.0);
}
