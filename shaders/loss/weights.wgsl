// w: one weight per class.
@group(0) @binding(5) var<storage, read> class_weights: array<f32>;

fn class_weight(c: u32) -> f32 {
    return class_weights[c];
}
