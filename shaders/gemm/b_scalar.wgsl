// b4(i) = B[i .. i + 4] by scalar loads, for sizes that are not multiples of four.
@group(0) @binding(2) var<storage, read> b_data: array<N2>;

// Four elements from `index` on; elements past the end repeat the last one, and meet a zero of A or are discarded.
fn b4(index: u32) -> vec4<f32> {
    let last = arrayLength(&b_data) - 1u;
    return vec4<f32>(
        f32(b_data[min(index, last)]),
        f32(b_data[min(index + 1u, last)]),
        f32(b_data[min(index + 2u, last)]),
        f32(b_data[min(index + 3u, last)]),
    );
}
