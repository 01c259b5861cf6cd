// All samples of the batch count.
fn samples() -> u32 {
    return p.samples;
}
