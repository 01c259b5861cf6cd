// Plain backprop has no diagonal to write.
fn write_diagonal(index: u32, value: f32) {}
