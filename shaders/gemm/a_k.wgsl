// A[m, k] stored row by row, k contiguous: the rows of the forward pass's input or of a signal.
const A_ALONG_K: bool = true;

// Where A[m, k] is: the part that its place in a stage decides, and the part that the stage does.
fn a_offset(m: u32, k: u32) -> u32 {
    return min(m, g.m - 1u) * g.k + k;
}

fn a_pace(segment: u32, k: u32) -> u32 {
    return k;
}

fn a_read(p: u32, index: u32, k: u32) -> vec4<f32> {
    return a4_guarded(a_base(p) + index, g.k - k);
}

fn a_four(place: ptr<function, Place>, p: u32, segment: u32, k: u32, i: u32, m: u32) -> vec4<f32> {
    return a_read(p, a_offset(m, 0u) + a_pace(segment, k), k);
}
