// B[k, n] stored as [k][segment][n], n contiguous: the weights [out, taps, in] for the signal, or the layer's input for the
// parameters.
const B_ALONG_K: bool = false;

fn b_four(place: ptr<function, Place>, segment: u32, k: u32, j: u32, n: u32) -> vec4<f32> {
    let row = min(k, g.k - 1u); // past the end A is zero
    let column = min(n, (g.n - 1u) / 4u * 4u);
    return b4((row * TAPS + segment) * g.n + column);
}
