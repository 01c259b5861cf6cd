// Logits that the product before left in vec4s.
fn logit_at(i: u32) -> f32 {
    return out[i / 4u][i % 4u];
}
