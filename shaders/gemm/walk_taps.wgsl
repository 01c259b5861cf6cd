// Σ_tap Σ_channel, a convolution's sum: a row m is a position of the result, a segment is a tap of the kernel, k runs over the
// channels that the tap reads; with groups, over the channels of the groups of the tile's columns.
struct Place {
    row: array<u32, HELD>, // index of the row in the result
    sample: array<u32, HELD>,
    position: array<vec2<u32>, HELD>,
    // The first channel that the tap reads for each row, and whether it is inside the image.
    seen: array<u32, HELD>,
    inside: array<bool, HELD>,
}

fn span_of(split: u32, tile: u32) -> Span {
    var span = Span(0u, 0u, TAPS, 0u, g.k);
    if GROUPED {
        let column = tile % g.tiles_n * (WX * V * 4u);
        let last = min((column + WX * V * 4u - 1u) / g.image.group_n, g.image.groups - 1u);
        span.begin = min(column / g.image.group_n, last) * g.image.group_k / GRAIN * GRAIN;
        span.end = min(((last + 1u) * g.image.group_k + 3u) / 4u * 4u, g.k);
    }
    return span;
}

// With BACK, a tap contributes only to every STEP-th row and column. So rows are ordered by phase over all samples: rows to which a
// tap contributes nothing are contiguous and are skipped together.
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

// Row m of the product: its phase, that phase's numbers of rows and columns, and its index within the phase over all samples.
struct Spot {
    phase: vec2<u32>,
    count: vec2<u32>,
    index: u32,
}

fn spot_of(m: u32) -> Spot {
    var spot = Spot(vec2<u32>(0u), in_phase(vec2<u32>(0u)), m);
    while spot.index >= spot.count.x * spot.count.y * g.image.samples {
        spot.index -= spot.count.x * spot.count.y * g.image.samples;
        spot.phase = next_phase(spot.phase);
        spot.count = in_phase(spot.phase);
    }
    return spot;
}

// Row m alone.
fn visit(place: ptr<function, Place>, i: u32, m: u32) {
    let size = g.image.rows;
    let spot = spot_of(min(m, g.m - 1u));
    let area = spot.count.x * spot.count.y;
    let at = spot.index % area;
    let position = spot.phase + vec2<u32>(at / spot.count.y, at % spot.count.y) * STEP;
    (*place).sample[i] = spot.index / area;
    (*place).position[i] = position;
    (*place).row[i] = ((*place).sample[i] * size.x + position.x) * size.y + position.y;
}

fn arrive(place: ptr<function, Place>, m0: u32, n0: u32, rows: u32) {
    // Divide once, then increment; rows past the end repeat the last one.
    let size = g.image.rows;
    let spot = spot_of(min(m0, g.m - 1u));
    let area = spot.count.x * spot.count.y;
    let at = spot.index % area;
    var phase = spot.phase;
    var sample = spot.index / area;
    var position = phase + vec2<u32>(at / spot.count.y, at % spot.count.y) * STEP;
    for (var i = 0u; i < rows; i++) {
        (*place).row[i] = (sample * size.x + position.x) * size.y + position.y;
        (*place).sample[i] = sample;
        (*place).position[i] = position;
        if m0 + i + 1u < g.m {
            position.y += STEP.y;
            if position.y >= size.y {
                position = vec2<u32>(position.x + STEP.x, phase.y);
            }
            if position.x >= size.x {
                sample += 1u;
                if sample == g.image.samples {
                    sample = 0u;
                    phase = next_phase(phase);
                }
                position = phase;
            }
        }
    }
}

fn row_at(place: ptr<function, Place>, m0: u32, i: u32) -> u32 {
    return (*place).row[i];
}

// Whether a tap contributes to no row of a tile: all rows are in one phase, and it does not match the tap.
fn passes(tile: u32, tap: u32) -> bool {
    if !BACK {
        return false;
    }
    let first = tile / g.tiles_n * (WY * TM);
    let rows = min(WY * TM, g.m - first);
    let spot = spot_of(first);
    // Congruent to phase + BEFORE - t · DILATION modulo STRIDE, and not negative.
    let way = spot.phase + BEFORE + vec2<u32>(tap / KW, tap % KW) * DILATION * (STRIDE - 1u);
    let whole = spot.index + rows <= spot.count.x * spot.count.y * g.image.samples;
    return whole && any(way % STRIDE != vec2<u32>(0u));
}

fn enter(place: ptr<function, Place>, tap: u32, rows: u32) -> bool {
    var any_inside = false;
    for (var i = 0u; i < rows; i++) {
        let seen = seen_from((*place).position[i], tap);
        let area = g.image.source.x * g.image.source.y;
        let row = (*place).sample[i] * area + seen.at.x * g.image.source.y + seen.at.y;
        (*place).seen[i] = select(0u, row * g.k, seen.inside);
        (*place).inside[i] = seen.inside;
        any_inside |= seen.inside;
    }
    return any_inside;
}

fn locate(place: ptr<function, Place>, k: u32) {}

fn next_k(place: ptr<function, Place>) {}
