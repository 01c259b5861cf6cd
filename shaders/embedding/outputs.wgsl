// Where the signal of an entry lies, which is a position, and by what a row is multiplied there.
fn output_of(i: u32, v: u32) -> u32 {
    return i * p.values + v;
}

fn factor_of(i: u32) -> f32 {
    return 1.0;
}
