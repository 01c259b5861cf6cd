// A[m, k] stored as [segment][k][m], m contiguous: the signal in the product for the parameters.
const A_ALONG_K: bool = false;

// Where A[m, k] is: the part that its place in a stage decides, and the part that the stage does.
fn a_offset(m: u32, k: u32) -> u32 {
    return k * g.m + min(m, (g.m - 1u) / 4u * 4u);
}

fn a_pace(segment: u32, k: u32) -> u32 {
    return (segment * g.k + k) * g.m;
}

fn a_read(p: u32, index: u32, k: u32) -> vec4<f32> {
    return a4(a_base(p) + index);
}

fn a_four(place: ptr<function, Place>, p: u32, segment: u32, k: u32, i: u32, m: u32) -> vec4<f32> {
    return a_read(p, a_offset(m, 0u) + a_pace(segment, k), k);
}
