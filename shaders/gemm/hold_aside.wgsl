// held(slot, p) = the sum stored by hold. Sums stay in private memory until the epilogue, because the result buffer would round
// them.
var<private> aside: array<vec4<f32>, TM * V * KEPT>;

fn hold(slot: u32, p: u32, index: u32, value: vec4<f32>, valid: u32) {
    aside[slot * KEPT + p] = value;
}

fn held(slot: u32, p: u32, index: u32) -> vec4<f32> {
    return aside[slot * KEPT + p];
}
