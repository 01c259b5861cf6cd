// B[k, n] stored as [n][segment][k], k contiguous: the weights [out, taps, in] in the forward pass.
const B_ALONG_K: bool = true;

// Where B[k, n] is: the part that its place in a stage decides, and the part that the stage does.
fn b_offset(n: u32, k: u32) -> u32 {
    return min(n, g.n - 1u) * TAPS * g.k + k;
}

fn b_pace(segment: u32, k: u32) -> u32 {
    return segment * g.k + k;
}

fn b_four(place: ptr<function, Place>, segment: u32, k: u32, j: u32, n: u32) -> vec4<f32> {
    return b4(b_offset(n, 0u) + b_pace(segment, k));
}
