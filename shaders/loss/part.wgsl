// What a part of a loss has one or two outputs of: its value, and g and h of each.
struct Part {
    value: f32,
    g: vec2<f32>,
    h: vec2<f32>,
}
