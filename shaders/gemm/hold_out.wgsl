// Sums wait to be finished where the result will stand.
fn hold(slot: u32, p: u32, index: u32, value: vec4<f32>, valid: u32) {
    write_out(index, value, valid);
}

fn held(slot: u32, p: u32, index: u32) -> vec4<f32> {
    return read_out(index);
}
