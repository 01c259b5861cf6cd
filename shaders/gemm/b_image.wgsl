// B[k, n]: the input channel that column n (a tap and a channel) reads at position k, zero outside the image.
const B_ALONG_K: bool = false;

fn b_four(place: ptr<function, Place>, segment: u32, k: u32, j: u32, n: u32) -> vec4<f32> {
    let seen = seen_from((*place).position, (*place).tap[j]);
    let row = segment * (g.image.source.x * g.image.source.y) + seen.at.x * g.image.source.y + seen.at.y;
    let index = row * (g.n / TAPS) + (*place).channel[j];
    return select(vec4<f32>(0.0), b4(select(0u, index, seen.inside)), seen.inside);
}
