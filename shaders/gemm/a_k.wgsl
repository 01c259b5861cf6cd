// A[m, k] stored row by row, k contiguous: the rows of the forward pass's input or of a signal.
const A_ALONG_K: bool = true;

fn a_four(place: ptr<function, Place>, p: u32, segment: u32, k: u32, i: u32, m: u32) -> vec4<f32> {
    let row = min(m, g.m - 1u);
    return a4_guarded(a_base(p) + row * g.k + k, g.k - k);
}
