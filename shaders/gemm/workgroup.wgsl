// The family for GPUs: a workgroup stages its tiles of A and B in workgroup memory, STEPS terms of k at a time. Each staged element
// serves a row or a column of invocations. The next stage is fetched into registers meanwhile.
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])
//
// Staged, A is [k][m] and B is [k][n]. What lies along k in storage is turned as it is stored: four terms of one row go to four
// places. Nothing looks at a fetched value before the stage's products are done, not even to replace it by zero, because looking
// would wait for the load. With two BUFFERS one is filled while the other is read, and a stage needs one barrier instead of two.
// Barriers depend only on g, the span and constants, which are uniform.
//
// Where there would be too few workgroups, k is shared out: SLICES parts of equal length, each with its own WY × WX invocations and
// its own places in workgroup memory. Their sums are added as a tree: 0 + 4, 1 + 5, 2 + 6, 3 + 7, then 0 + 2, 1 + 3, then 0 + 1.
//
// Plugs: how A is fetched (staged/a_steady | staged/a_taps), how B is (staged/b_steady | staged/b_positions), and how B is kept
// (staged/b_turned | staged/b_straight).

// Invocations of a slice.
const LANES: u32 = WX * WY;
// Sums of the workgroup's tile.
const ROWS: u32 = WY * TM;
const COLUMNS: u32 = WX * V * 4u;
// vec4s of a stage along k.
const DEEP: u32 = STEPS / 4u;
// A grouped convolution's channels begin at a multiple of this: a stage belongs to one run.
const GRAIN: u32 = STEPS;

// vec4s of a component of A, and of B, that an invocation fetches for a stage.
const A_ROUNDS: u32 = (ROWS * DEEP + LANES - 1u) / LANES;
const B_ROUNDS: u32 = (COLUMNS * DEEP + LANES - 1u) / LANES;

alias FetchedA = array<array<vec4<f32>, P>, A_ROUNDS>;
alias FetchedB = array<vec4<f32>, B_ROUNDS>;

var<workgroup> staged_a: array<f32, SLICES * BUFFERS * P * STEPS * ROWS>;

// A stage: STEPS terms of k, starting here.
struct Stage {
    segment: u32,
    k: u32,
}

// The first stage of a segment, or of the next one that the tile does not skip.
fn stage_of(span: Span, tile: u32, segment: u32) -> Stage {
    var stage = Stage(segment, span.begin);
    while stage.segment < span.last && passes(tile, stage.segment) {
        stage.segment += 1u;
    }
    return stage;
}

fn stage_after(stage: Stage, span: Span, tile: u32) -> Stage {
    if stage.k + STEPS < span.end {
        return Stage(stage.segment, stage.k + STEPS);
    }
    return stage_of(span, tile, stage.segment + 1u);
}

// The first term, counted from the stage's, and the first row or column of the vec4 that an invocation fetches in a round.
// Neighbouring invocations read neighbouring memory.
struct Item {
    k: u32,
    at: u32,
}

fn item_of(lane: u32, round: u32, along_k: bool, size: u32) -> Item {
    let item = lane + round * LANES;
    if along_k {
        return Item(item % DEEP * 4u, item / DEEP);
    }
    return Item(item / (size / 4u), item % (size / 4u) * 4u);
}

// Whether there is such an item. Known when compiled, but where the last round is not full.
fn is_item(lane: u32, round: u32, size: u32) -> bool {
    return size * DEEP % LANES == 0u || lane + round * LANES < size * DEEP;
}

// Terms past the end are zero in A, so their values in B do not matter.
fn put_a(four: vec4<f32>, p: u32, buffer: u32, item: Item) {
    let at = ((buffer * P + p) * STEPS + item.k) * ROWS + item.at;
    let apart = select(1u, ROWS, A_ALONG_K);
    staged_a[at] = four.x;
    staged_a[at + apart] = four.y;
    staged_a[at + 2u * apart] = four.z;
    staged_a[at + 3u * apart] = four.w;
}

// Four rows of a staged term.
fn get_a(p: u32, buffer: u32, step: u32, row: u32) -> vec4<f32> {
    let at = ((buffer * P + p) * STEPS + step) * ROWS + row;
    return vec4<f32>(staged_a[at], staged_a[at + 1u], staged_a[at + 2u], staged_a[at + 3u]);
}

// Whether something is to be done with the sums between two stages.
fn parts(stage: Stage, after: Stage) -> bool {
    if LONG {
        return run_of(stage.segment, stage.k) != run_of(after.segment, after.k);
    }
    return JOINT && stage.segment != after.segment;
}

// Adds the products of a stage.
fn multiply(buffer: u32, lane: vec2<u32>, acc: ptr<function, Tile>) {
    var b: Columns;
    for (var step = 0u; step < STEPS; step++) {
        for (var j = 0u; j < V; j++) {
            b[j] = get_b(buffer, step, j * WX + lane.x);
        }
        for (var p = 0u; p < P; p++) {
            for (var i = 0u; i < TM; i += 4u) {
                let a = get_a(p, buffer, step, lane.y * TM + i);
                for (var s = 0u; s < 4u; s++) {
                    for (var j = 0u; j < V; j++) {
                        let through = select(b[j], b[j] * b[j], p == 1u);
                        (*acc)[p][i + s][j] = fma(vec4<f32>(a[s]), through, (*acc)[p][i + s][j]);
                    }
                }
            }
        }
    }
}

fn from_slice(stage: Stage, shift: u32) -> Stage {
    return Stage(stage.segment, stage.k + shift);
}

// Adds the sums of slices half, half + 1, … to those of slices 0, 1, …, through the memory of A.
fn add_slices(half: u32, slice: u32, index: u32, acc: ptr<function, Tile>) {
    let apart = half * LANES;
    let at = slice % half * LANES + index;
    if slice >= half && slice < 2u * half {
        for (var p = 0u; p < P; p++) {
            for (var i = 0u; i < TM; i++) {
                for (var j = 0u; j < V; j++) {
                    for (var c = 0u; c < 4u; c++) {
                        staged_a[(((p * TM + i) * V + j) * 4u + c) * apart + at] = (*acc)[p][i][j][c];
                    }
                }
            }
        }
    }
    workgroupBarrier();
    if slice < half {
        for (var p = 0u; p < P; p++) {
            for (var i = 0u; i < TM; i++) {
                for (var j = 0u; j < V; j++) {
                    for (var c = 0u; c < 4u; c++) {
                        (*acc)[p][i][j][c] += staged_a[(((p * TM + i) * V + j) * 4u + c) * apart + at];
                    }
                }
            }
        }
    }
    workgroupBarrier();
}

fn sum_up(
    span: Span,
    tile: u32,
    lane: vec2<u32>,
    m0: u32,
    n0: u32,
    place: ptr<function, Place>,
    acc: ptr<function, Tile>,
) {
    var total: Tile; // sum of the finished runs, if LONG
    let slice = select(0u, lane.y / WY, SLICES > 1u);
    let own = vec2<u32>(lane.x, lane.y % WY);
    let index = own.y * WX + own.x;
    // Stages are counted from the start of each slice.
    var part = span;
    if SLICES > 1u {
        part.end = (span.end + 16u * SLICES - 1u) / (16u * SLICES) * 16u;
    }
    let shift = slice * part.end;
    let until = min(shift + part.end, span.end);
    var a: SeatA;
    var b: SeatB;
    sit_a(&a, index, tile / g.tiles_n * ROWS);
    sit_b(&b, index, tile % g.tiles_n * COLUMNS);
    var stage = Stage(span.last, 0u);
    if span.begin < span.end {
        stage = stage_of(part, tile, span.first);
    }
    let bank = slice * BUFFERS;
    var buffer = 0u;
    if stage.segment < span.last {
        enter_a(&a, stage.segment);
        enter_b(&b, index, stage.k);
        let first = from_slice(stage, shift);
        let first_a = fetch_a(&a, index, first, until);
        let first_b = fetch_b(&b, index, first, until);
        store_a(&a, first_a, bank, index, first, until);
        store_b(&b, first_b, bank, index);
    }
    workgroupBarrier();
    while stage.segment < span.last {
        let first = stage;
        // No branch stands between fetching and storing, or a compiler might fetch behind it.
        loop {
            let after = stage_after(stage, part, tile);
            if after.segment != stage.segment {
                enter_a(&a, after.segment);
                enter_b(&b, index, after.k);
            }
            // After the last stage nothing is inside, and what is fetched is not used.
            let end = select(0u, until, after.segment < span.last);
            let next = from_slice(after, shift);
            let next_a = fetch_a(&a, index, next, end);
            let next_b = fetch_b(&b, index, next, end);
            multiply(bank + buffer, own, acc);
            if BUFFERS == 1u {
                workgroupBarrier();
            } else {
                buffer = 1u - buffer;
            }
            store_a(&a, next_a, bank + buffer, index, next, end);
            store_b(&b, next_b, bank + buffer, index);
            workgroupBarrier();
            stage = after;
            if stage.segment >= span.last || parts(first, stage) {
                break;
            }
        }
        if JOINT {
            close_sample(acc);
        }
        if LONG {
            close_run(acc, &total);
        }
    }
    if LONG {
        *acc = total;
    }
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        add_slices(half, slice, index, acc);
    }
    arrive(place, m0, n0, TM);
}
