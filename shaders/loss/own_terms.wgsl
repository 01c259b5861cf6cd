// What a text of the user's own says of one output: the value, g and h.
struct Term {
    value: f32,
    g: f32,
    h: f32,
}
