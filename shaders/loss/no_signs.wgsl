// Nothing is random.
fn sign_of(sample: u32, output: u32) -> f32 {
    return 1.0;
}
