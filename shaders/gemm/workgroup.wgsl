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
// Plugs: how A is fetched (staged/a_steady | staged/a_taps), how B is (staged/b_steady | staged/b_positions), and how B is kept
// (staged/b_turned | staged/b_straight).

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

var<workgroup> staged_a: array<f32, BUFFERS * P * STEPS * ROWS>;

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
    let index = lane.y * WX + lane.x;
    var a: SeatA;
    var b: SeatB;
    sit_a(&a, index, tile / g.tiles_n * ROWS);
    sit_b(&b, index, tile % g.tiles_n * COLUMNS);
    var stage = Stage(span.last, 0u);
    if span.begin < span.end {
        stage = stage_of(span, tile, span.first);
    }
    var buffer = 0u;
    if stage.segment < span.last {
        enter_a(&a, stage.segment);
        enter_b(&b, index, stage.k);
        let first_a = fetch_a(&a, index, stage, span.end);
        let first_b = fetch_b(&b, index, stage, span.end);
        store_a(&a, first_a, buffer, index, stage, span.end);
        store_b(&b, first_b, buffer, index);
    }
    workgroupBarrier();
    while stage.segment < span.last {
        let first = stage;
        // No branch stands between fetching and storing, or a compiler might fetch behind it.
        loop {
            let after = stage_after(stage, span, tile);
            if after.segment != stage.segment {
                enter_a(&a, after.segment);
                enter_b(&b, index, after.k);
            }
            // After the last stage nothing is inside, and what is fetched is not used.
            let end = select(0u, span.end, after.segment < span.last);
            let next_a = fetch_a(&a, index, after, end);
            let next_b = fetch_b(&b, index, after, end);
            multiply(buffer, lane, acc);
            if BUFFERS == 1u {
                workgroupBarrier();
            } else {
                buffer = 1u - buffer;
            }
            store_a(&a, next_a, buffer, index, after, end);
            store_b(&b, next_b, buffer, index);
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
    arrive(place, m0, n0, TM);
}
