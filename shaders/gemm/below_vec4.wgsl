// What the activation below had as its input, in vec4s.
@group(0) @binding(4) var<storage, read> below: array<vec4<N4>>;

fn below4(index: u32) -> vec4<f32> {
    return vec4<f32>(below[index / 4u]);
}
