// What the activation below had as its input, element by element.
@group(0) @binding(4) var<storage, read> below: array<f32>;

fn below4(index: u32) -> vec4<f32> {
    let last = arrayLength(&below) - 1u;
    return vec4<f32>(
        below[min(index, last)],
        below[min(index + 1u, last)],
        below[min(index + 2u, last)],
        below[min(index + 3u, last)],
    );
}
