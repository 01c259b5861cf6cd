// Plain backprop unpacks no diagonal.
fn write_diagonal(index: u32, value: f32) {}
