// B[k, n] stored as [n][segment][k], k contiguous: the weights [out, taps, in] in the forward pass.
const B_ALONG_K: bool = true;

fn b_four(place: ptr<function, Place>, segment: u32, k: u32, j: u32, n: u32) -> vec4<f32> {
    let column = min(n, g.n - 1u);
    return b4((column * TAPS + segment) * g.k + k);
}
