// v ← β₂ v + (1-β₂) g²: Adam
fn moved_moment(four: Fours) -> vec4<f32> {
    return move_second_moment(four, four.g);
}
