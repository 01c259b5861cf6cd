// Where the signal of an entry lies: feature v of its level. And by what a row is multiplied there.
fn output_of(i: u32, v: u32) -> u32 {
    return i / CORNERS * p.width + v;
}

fn factor_of(i: u32) -> f32 {
    let at = divide(i / CORNERS, p.levels);
    return corner_share(at.x, at.y, i % CORNERS, AXES);
}
