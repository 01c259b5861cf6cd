// a4(i) = A[i .. i + 4] by scalar loads, for sizes that are not multiples of four.
@group(0) @binding(1) var<storage, read> a_data: array<N1>;

// Four elements from `index` on; elements past the end repeat the last one and are discarded later.
fn a4(index: u32) -> vec4<f32> {
    let last = arrayLength(&a_data) - 1u;
    return vec4<f32>(
        f32(a_data[min(index, last)]),
        f32(a_data[min(index + 1u, last)]),
        f32(a_data[min(index + 2u, last)]),
        f32(a_data[min(index + 3u, last)]),
    );
}

// The same, with zeros after the first `valid`.
fn a4_guarded(index: u32, valid: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), a4(index), vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(valid));
}
