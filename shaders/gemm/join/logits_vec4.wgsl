// logit_at(i) = out[i / 4][i mod 4], the preceding product's vec4 output.
fn logit_at(i: u32) -> f32 {
    return out[i / 4u][i % 4u];
}
