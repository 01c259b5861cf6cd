// samples = the batch: all of them count.
fn samples() -> u32 {
    return p.batch;
}
