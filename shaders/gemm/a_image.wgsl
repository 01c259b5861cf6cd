// A[m, k]: the channels that a tap reads at position m, zero outside the image.
const A_ALONG_K: bool = true;

fn a_four(place: ptr<function, Place>, p: u32, segment: u32, k: u32, i: u32, m: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), a4(a_base(p) + (*place).seen[i] + k), (*place).inside[i]);
}
