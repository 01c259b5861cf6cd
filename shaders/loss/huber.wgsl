// r = z - t:  l = ½ r², l' = r, l'' = 1 where |r| ≤ δ;  l = δ (|r| - ½ δ), l' = ±δ, l'' = 0 beyond
const HEADS: u32 = 1u;

fn term(z: f32, unused: f32, t: f32) -> Part {
    let r = z - t;
    let far = abs(r) > DELTA;
    let value = select(0.5 * r * r, DELTA * (abs(r) - 0.5 * DELTA), far);
    let g = clamp(r, -DELTA, DELTA);
    let h = select(1.0, 0.0, far);
    // No comparison tells of a residual that is not finite.
    let spoilt = !hs_is_finite(r);
    return Part(
        hs_nan_where(spoilt, value),
        vec2<f32>(hs_nan_where(spoilt, g), 0.0),
        vec2<f32>(hs_nan_where(spoilt, h), 0.0),
    );
}
