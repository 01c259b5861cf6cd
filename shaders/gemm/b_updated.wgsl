// B in vec4s, from vec4 g.first of the parameters on, others of which the product beside this one updates.
fn b4(index: u32) -> vec4<f32> {
    return parameters[g.first + index / 4u];
}
