// A loss that is a sum over K targets, each with HEADS outputs (one, or a mean and a variance K apart):
//
//     value = l(z, t)      g = ∂l/∂z      h = ∂²l/∂z²
//
// A part is meaningless where a logit is not finite, so all of it becomes NaN. Plug: term.

fn read_row(n: u32, at: u32, lane: vec3<u32>) {}

fn part(n: u32, at: u32, k: u32) -> Part {
    let count = p.outputs / HEADS;
    let first = logit(at, k);
    let second = logit(at, (HEADS - 1u) * count + k);
    let mine = term(first, second, bitcast<f32>(target_bits(n * count + k)));
    let spoilt = !(hs_is_finite(first) && hs_is_finite(second));
    let sound = hs_nan_where(spoilt, 1.0);
    return Part(hs_nan_where(spoilt, mine.value), sound * mine.g, sound * mine.h);
}
