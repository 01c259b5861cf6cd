// Σ_sample Σ_position, the sum for a convolution's parameters: a column n is a tap and a channel, a segment is a sample, k runs
// over its positions. A part of the sum is a few whole samples, or part of one if samples are large.
struct Place {
    position: vec2<u32>, // of the next k
    tap: array<u32, V>, // of each vec4 of columns
    channel: array<u32, V>,
}

fn samples_of(split: u32) -> Span {
    let first = split / g.image.parts * g.image.per_split;
    let begin = split % g.image.parts * g.image.part;
    return Span(
        split,
        first,
        min(first + g.image.per_split, g.image.samples),
        begin,
        min(begin + g.image.part, g.k),
    );
}

fn span_of(split: u32, tile: u32) -> Span {
    var span = samples_of(split);
    if GROUPED && apart(tile, g.n / TAPS) {
        span.end = span.begin;
    }
    return span;
}

// Whether no output of the tile's rows shares a group with an input of its columns, so that the tile has no parameters.
fn apart(tile: u32, channels: u32) -> bool {
    let row = tile / g.tiles_n * (WY * TM);
    let column = tile % g.tiles_n * (WX * V * 4u);
    let end = min(column + WX * V * 4u, g.n) - 1u;
    if column / channels != end / channels {
        return false;
    }
    let first = vec2<u32>(row / g.image.group_m, column % channels / g.image.group_n);
    let last = vec2<u32>((row + WY * TM - 1u) / g.image.group_m, end % channels / g.image.group_n);
    return last.x < first.y || last.y < first.x;
}

fn passes(tile: u32, sample: u32) -> bool {
    return false;
}

fn arrive(place: ptr<function, Place>, m0: u32, n0: u32, rows: u32) {
    let channels = g.n / TAPS;
    for (var j = 0u; j < V; j++) {
        let column = min(n0 + j * WX * 4u, g.n - 4u);
        (*place).tap[j] = column / channels;
        (*place).channel[j] = column % channels;
    }
}

fn enter(place: ptr<function, Place>, sample: u32, rows: u32) -> bool {
    return true;
}

fn locate(place: ptr<function, Place>, k: u32) {
    (*place).position = vec2<u32>(k / g.image.rows.y, k % g.image.rows.y);
}

fn next_k(place: ptr<function, Place>) {
    (*place).position.y += 1u;
    if (*place).position.y == g.image.rows.y {
        (*place).position = vec2<u32>((*place).position.x + 1u, 0u);
    }
}

fn row_at(place: ptr<function, Place>, m0: u32, i: u32) -> u32 {
    return min(m0 + i, g.m - 1u);
}
