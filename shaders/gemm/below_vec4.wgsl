// below4(i) = a[i .. i + 4] by one vec4 load: the input of the activation below, or its output if that determines the derivatives
// (relu, leaky_relu).
@group(0) @binding(4) var<storage, read> below: array<vec4<N4>>;

fn below4(index: u32) -> vec4<f32> {
    return vec4<f32>(below[index / 4u]);
}
