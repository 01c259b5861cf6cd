// class_weight(c) = 1: no class weights.
const WEIGHTED: bool = false;

fn class_weight(c: u32) -> f32 {
    return 1.0;
}
