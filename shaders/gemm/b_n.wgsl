// B[k, n] stored as [k][segment][n], n contiguous: the weights [out, taps, in] for the signal, or the layer's input for the
// parameters.
const B_ALONG_K: bool = false;

// Where B[k, n] is: the part that its place in a stage decides, and the part that the stage does.
fn b_offset(n: u32, k: u32) -> u32 {
    return k * TAPS * g.n + min(n, (g.n - 1u) / 4u * 4u);
}

fn b_pace(segment: u32, k: u32) -> u32 {
    return (k * TAPS + segment) * g.n;
}

fn b_four(place: ptr<function, Place>, segment: u32, k: u32, j: u32, n: u32) -> vec4<f32> {
    return b4(b_offset(n, 0u) + b_pace(segment, min(k, g.k - 1u))); // past the end A is zero
}
