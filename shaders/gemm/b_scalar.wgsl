// B element by element, for sizes that are not multiples of four.
@group(0) @binding(2) var<storage, read> b_data: array<N2>;

// Four elements from `index` on; what lies past the end repeats the last one, and meets a zero of A or is thrown away.
fn b4(index: u32) -> vec4<f32> {
    let last = arrayLength(&b_data) - 1u;
    return vec4<f32>(
        f32(b_data[min(index, last)]),
        f32(b_data[min(index + 1u, last)]),
        f32(b_data[min(index + 2u, last)]),
        f32(b_data[min(index + 3u, last)]),
    );
}
