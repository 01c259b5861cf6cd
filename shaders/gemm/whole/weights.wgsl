// class_weight(c) = g.class_weights[c], in the uniform
const WEIGHTED: bool = true;

fn class_weight(c: u32) -> f32 {
    return g.class_weights[c / 4u][c % 4u];
}
