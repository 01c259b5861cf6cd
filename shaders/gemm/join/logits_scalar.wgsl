// logit_at(i) = out[i], the preceding product's scalar output.
fn logit_at(i: u32) -> f32 {
    return out[i];
}
