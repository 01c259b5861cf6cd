// v ← v, on a step without curvature
fn moved_moment(four: Fours) -> vec4<f32> {
    return second_moment(four.i, four.vectors);
}
