// A[m, k] stored as [segment][k][m], m contiguous: the signal in the product for the parameters.
const A_ALONG_K: bool = false;

fn a_four(place: ptr<function, Place>, p: u32, segment: u32, k: u32, i: u32, m: u32) -> vec4<f32> {
    let column = min(m, (g.m - 1u) / 4u * 4u);
    return a4(a_base(p) + (segment * g.k + k) * g.m + column);
}
