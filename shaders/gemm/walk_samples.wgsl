// The walk along the sum for a convolution's parameters: a column n is a tap and a channel, a segment is a sample, k runs over
// its positions. A part of the sum is a few whole samples, or where those are large a part of one.
struct Place {
    split: u32,
    first: u32,
    last: u32,
    begin: u32,
    end: u32,
    position: vec2<u32>, // of the next k
    tap: array<u32, V>, // of each vec4 of columns
    channel: array<u32, V>,
}

fn samples_of(place: ptr<function, Place>, split: u32) {
    (*place).split = split;
    (*place).first = split / g.image.parts * g.image.per_split;
    (*place).last = min((*place).first + g.image.per_split, g.image.samples);
    (*place).begin = split % g.image.parts * g.image.part;
    (*place).end = min((*place).begin + g.image.part, g.k);
}

fn arrive(place: ptr<function, Place>, split: u32, tile: u32, m0: u32, n0: u32) {
    samples_of(place, split);
    let channels = g.n / TAPS;
    for (var j = 0u; j < V; j++) {
        let column = min(n0 + j * WX * 4u, g.n - 4u);
        (*place).tap[j] = column / channels;
        (*place).channel[j] = column % channels;
    }
    if GROUPED && apart(tile, channels) {
        (*place).end = (*place).begin;
    }
}

// Whether no output of the tile's rows is in a group with an input of its columns: then no parameter stands there.
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

fn enter(place: ptr<function, Place>, sample: u32) -> bool {
    (*place).position = vec2<u32>((*place).begin / g.image.rows.y, (*place).begin % g.image.rows.y);
    return true;
}

fn row_at(place: ptr<function, Place>, m0: u32, i: u32) -> u32 {
    return min(m0 + i, g.m - 1u);
}
