// class_weight(c) = class_weights[c]
@group(0) @binding(5) var<storage, read> class_weights: array<f32>;

const WEIGHTED: bool = true;

fn class_weight(c: u32) -> f32 {
    return class_weights[c];
}
