// held(index) = the sum stored by hold. Sums stay in the result buffer until the epilogue.
fn hold(slot: u32, p: u32, index: u32, value: vec4<f32>, valid: u32) {
    write_out(index, value, valid);
}

fn held(slot: u32, p: u32, index: u32) -> vec4<f32> {
    return read_out(index);
}
