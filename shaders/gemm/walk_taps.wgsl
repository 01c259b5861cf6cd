// The walk along a convolution's sum: a row m is a position of the result, a segment is a tap of the kernel, k runs over the
// channels that the tap sees there; with groups, over those that a column of the tile belongs to.
struct Place {
    split: u32,
    first: u32,
    last: u32,
    begin: u32,
    end: u32,
    sample: array<u32, TM>,
    position: array<vec2<u32>, TM>,
    // What the tap sees from each row: where its channels begin, or nothing.
    seen: array<u32, TM>,
    inside: array<bool, TM>,
}

fn arrive(place: ptr<function, Place>, split: u32, tile: u32, m0: u32, n0: u32) {
    (*place).split = 0u;
    (*place).first = 0u;
    (*place).last = TAPS;
    (*place).begin = 0u;
    (*place).end = g.k;
    if GROUPED {
        let column = tile % g.tiles_n * (WX * V * 4u);
        let last = min((column + WX * V * 4u - 1u) / g.image.group_n, g.image.groups - 1u);
        (*place).begin = min(column / g.image.group_n, last) * g.image.group_k / 4u * 4u;
        (*place).end = min(((last + 1u) * g.image.group_k + 3u) / 4u * 4u, g.k);
    }
    // Divide once, count from there; rows past the end repeat the last one.
    let m = min(m0, g.m - 1u);
    let area = g.image.rows.x * g.image.rows.y;
    var sample = m / area;
    var position = vec2<u32>(m % area / g.image.rows.y, m % area % g.image.rows.y);
    for (var i = 0u; i < TM; i++) {
        (*place).sample[i] = sample;
        (*place).position[i] = position;
        if m0 + i + 1u < g.m {
            position.y += 1u;
            if position.y == g.image.rows.y {
                position = vec2<u32>(position.x + 1u, 0u);
            }
            if position.x == g.image.rows.x {
                position.x = 0u;
                sample += 1u;
            }
        }
    }
}

fn enter(place: ptr<function, Place>, tap: u32) -> bool {
    var any_inside = false;
    for (var i = 0u; i < TM; i++) {
        let seen = seen_from((*place).position[i], tap);
        let area = g.image.source.x * g.image.source.y;
        let row = (*place).sample[i] * area + seen.at.x * g.image.source.y + seen.at.y;
        (*place).seen[i] = select(0u, row * g.k, seen.inside);
        (*place).inside[i] = seen.inside;
        any_inside |= seen.inside;
    }
    return any_inside;
}
