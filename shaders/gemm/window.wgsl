// The place that tap t of a KH × KW kernel reads at position q:
//
//     q · stride + t · dilation - before                            in a convolution's input,
//     (q + before - t · dilation) / stride, if an integer           in its output (BACK: the transposed direction).
//
// Places are u32, so that negative ones wrap around to values larger than any image.

// (y, x), and whether it is a place in the source.
struct Seen {
    at: vec2<u32>,
    inside: bool,
}

fn seen_from(q: vec2<u32>, tap: u32) -> Seen {
    let t = vec2<u32>(tap / KW, tap % KW) * DILATION;
    var at = q * STRIDE + t - BEFORE;
    var whole = vec2<bool>(true);
    if BACK {
        let way = q + BEFORE - t;
        at = way / STRIDE;
        whole = way % STRIDE == vec2<u32>(0u);
    }
    return Seen(at, all(whole) && all(at < g.image.source));
}
