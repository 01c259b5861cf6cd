// The walk along a convolution's sum: a row m is a position of the result, a segment is a tap of the kernel, k runs over the
// channels that the tap sees there; with groups, over those that a column of the tile belongs to.
struct Place {
    split: u32,
    first: u32,
    last: u32,
    begin: u32,
    end: u32,
    row: array<u32, TM>, // of the result, where it lies
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
    let size = g.image.rows;
    let m = min(m0, g.m - 1u);
    var sample = m / (size.x * size.y);
    var phase = vec2<u32>(0u);
    var left = m % (size.x * size.y);
    for (var count = in_phase(phase); left >= count.x * count.y; count = in_phase(phase)) {
        left -= count.x * count.y;
        phase = next_phase(phase);
    }
    let columns = in_phase(phase).y;
    var position = phase + vec2<u32>(left / columns, left % columns) * STEP;
    for (var i = 0u; i < TM; i++) {
        (*place).row[i] = (sample * size.x + position.x) * size.y + position.y;
        (*place).sample[i] = sample;
        (*place).position[i] = position;
        if m0 + i + 1u < g.m {
            position.y += STEP.y;
            if position.y >= size.y {
                position = vec2<u32>(position.x + STEP.x, phase.y);
            }
            if position.x >= size.x {
                phase = next_phase(phase);
                if phase.x == min(STEP.x, size.x) {
                    phase = vec2<u32>(0u);
                    sample += 1u;
                }
                position = phase;
            }
        }
    }
}

// Looking back at a window's positions, a tap sees something only from every STEP-th row and column. So an image is taken
// phase by phase: what one tap sees nothing from stands together, and is passed over together.
const STEP: vec2<u32> = select(vec2<u32>(1u), STRIDE, BACK);

// Rows and columns of a phase.
fn in_phase(phase: vec2<u32>) -> vec2<u32> {
    return (g.image.rows - phase + STEP - 1u) / STEP;
}

fn next_phase(phase: vec2<u32>) -> vec2<u32> {
    if phase.y + 1u < min(STEP.y, g.image.rows.y) {
        return vec2<u32>(phase.x, phase.y + 1u);
    }
    return vec2<u32>(phase.x + 1u, 0u);
}

fn row_at(place: ptr<function, Place>, m0: u32, i: u32) -> u32 {
    return (*place).row[i];
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
