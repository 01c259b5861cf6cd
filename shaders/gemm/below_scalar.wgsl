// below4(i) = a[i .. i + 4] by scalar loads: the input of the activation below, or its output if that determines the derivatives
// (relu, leaky_relu).
@group(0) @binding(4) var<storage, read> below: array<N4>;

fn below4(index: u32) -> vec4<f32> {
    let last = arrayLength(&below) - 1u;
    return vec4<f32>(
        f32(below[min(index, last)]),
        f32(below[min(index + 1u, last)]),
        f32(below[min(index + 2u, last)]),
        f32(below[min(index + 3u, last)]),
    );
}
