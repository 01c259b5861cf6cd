// l = |z - t|,  l' = sign(z - t),  l'' = 0
const HEADS: u32 = 1u;

fn term(z: f32, unused: f32, t: f32) -> Part {
    let r = z - t;
    let spoilt = !hs_is_finite(r);
    let g = select(select(0.0, -1.0, r < 0.0), 1.0, r > 0.0);
    return Part(
        hs_nan_where(spoilt, abs(r)),
        vec2<f32>(hs_nan_where(spoilt, g), 0.0),
        vec2<f32>(hs_nan_where(spoilt, 0.0), 0.0),
    );
}
