// b4(i) = parameters[g.first + i / 4]: weights read from the parameters' buffer, of which the joined product updates another
// layer's.
fn b4(index: u32) -> vec4<f32> {
    return parameters[g.first + index / 4u];
}
