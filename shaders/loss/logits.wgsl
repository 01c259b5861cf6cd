// logit_at(i) = logits[i], written by an earlier kernel.
@group(0) @binding(1) var<storage, read> logits: array<f32>;

fn logit_at(i: u32) -> f32 {
    return logits[i];
}
