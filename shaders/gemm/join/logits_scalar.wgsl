// Logits that the product before left element by element.
fn logit_at(i: u32) -> f32 {
    return out[i];
}
