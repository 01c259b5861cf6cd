// Where a window looks. From position q, tap t of a KH × KW kernel sees the place
//
//     q · stride + t · dilation - before                          of a convolution's input,
//     (q + before - t · dilation) / stride, if that is whole      of its output: the way back (BACK).
//
// Places are u32, so that what lies before 0 is larger than any image.

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
