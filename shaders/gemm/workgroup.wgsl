// The family for GPUs: a workgroup stages its tiles of A and B in workgroup memory, STEPS terms of k at a time. Each staged element
// serves a row or a column of invocations. The next stage is fetched into registers meanwhile.
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])
//
// A block is four rows (columns) by four terms of k. It is fetched as four vec4s, and transposed if those lie along k, so that the
// staged layout is [k][m] and [k][n]. Neighbouring invocations stage neighbouring vec4s and read neighbouring or equal ones, so
// there are no bank conflicts. With two BUFFERS one is filled while the other is read, and a stage needs one barrier instead of
// two. Barriers depend only on g, the span and constants, which are uniform.

const LANES: u32 = WX * WY;
// vec4s along the tile's rows and columns.
const ROWS4: u32 = WY * TM / 4u;
const COLUMNS4: u32 = WX * V;
// Blocks of a stage along k.
const DEEP: u32 = STEPS / 4u;
// Blocks with the same rows (columns) are numbered along k, for A over all components. This many are fetched at once, in this many
// rounds.
const A_AT_ONCE: u32 = LANES / ROWS4;
const B_AT_ONCE: u32 = LANES / COLUMNS4;
const A_ROUNDS: u32 = (P * DEEP + A_AT_ONCE - 1u) / A_AT_ONCE;
const B_ROUNDS: u32 = (DEEP + B_AT_ONCE - 1u) / B_AT_ONCE;

var<workgroup> staged_a: array<vec4<f32>, BUFFERS * P * STEPS * ROWS4>;
var<workgroup> staged_b: array<vec4<f32>, BUFFERS * STEPS * COLUMNS4>;

// One step of k a column.
alias Block = mat4x4<f32>;

// The blocks that an invocation has fetched for a stage.
struct Fetched {
    a: array<Block, A_ROUNDS>,
    b: array<Block, B_ROUNDS>,
}

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

// The vec4 of rows and of columns that an invocation stages, and its first block of each. B's blocks are assigned from the last
// invocation backward, so that the work is spread when there are more invocations than blocks.
struct Seat {
    row4: u32,
    a: u32,
    column4: u32,
    b: u32,
}

fn seat_of(lane: vec2<u32>) -> Seat {
    let index = lane.y * WX + lane.x;
    let back = LANES - 1u - index;
    return Seat(index % ROWS4, index / ROWS4, COLUMNS4 - 1u - back % COLUMNS4, back / COLUMNS4);
}

// Terms past the end are zero in A, so their values in B do not matter; B reads any valid address.
fn fetch(place: ptr<function, Place>, stage: Stage, end: u32, seat: Seat, m: u32, n: u32) -> Fetched {
    var fetched: Fetched;
    for (var round = 0u; round < A_ROUNDS; round++) {
        let block = seat.a + round * A_AT_ONCE;
        if block < P * DEEP {
            let p = block / DEEP;
            let k = stage.k + block % DEEP * 4u;
            for (var s = 0u; s < 4u; s++) {
                let step = k + select(s, 0u, A_ALONG_K);
                let inside = step < end;
                let i = select(0u, s, A_ALONG_K);
                let four = a_four(place, p, stage.segment, select(stage.k, step, inside), i, m + i);
                fetched.a[round][s] = select(vec4<f32>(0.0), four, inside);
            }
        }
    }
    for (var round = 0u; round < B_ROUNDS; round++) {
        let block = seat.b + round * B_AT_ONCE;
        if block < DEEP {
            let k = stage.k + block * 4u;
            locate(place, k);
            for (var s = 0u; s < 4u; s++) {
                let step = k + select(s, 0u, B_ALONG_K);
                let column = n + select(0u, s, B_ALONG_K);
                fetched.b[round][s] =
                    b_four(place, stage.segment, select(stage.k, step, step < end), 0u, column);
                next_k(place);
            }
        }
    }
    return fetched;
}

fn put(fetched: Fetched, buffer: u32, seat: Seat) {
    for (var round = 0u; round < A_ROUNDS; round++) {
        let block = seat.a + round * A_AT_ONCE;
        if block < P * DEEP {
            var steps = fetched.a[round];
            if A_ALONG_K {
                steps = transpose(steps);
            }
            for (var s = 0u; s < 4u; s++) {
                staged_a[((buffer * P * DEEP + block) * 4u + s) * ROWS4 + seat.row4] = steps[s];
            }
        }
    }
    for (var round = 0u; round < B_ROUNDS; round++) {
        let block = seat.b + round * B_AT_ONCE;
        if block < DEEP {
            var steps = fetched.b[round];
            if B_ALONG_K {
                steps = transpose(steps);
            }
            for (var s = 0u; s < 4u; s++) {
                staged_b[((buffer * DEEP + block) * 4u + s) * COLUMNS4 + seat.column4] = steps[s];
            }
        }
    }
}

// Adds the products of a stage.
fn multiply(
    stage: Stage,
    end: u32,
    buffer: u32,
    lane: vec2<u32>,
    acc: ptr<function, Tile>,
    total: ptr<function, Tile>,
) {
    var b: Columns;
    for (var step = 0u; step < STEPS; step++) {
        for (var j = 0u; j < V; j++) {
            b[j] = staged_b[(buffer * STEPS + step) * COLUMNS4 + j * WX + lane.x];
        }
        for (var p = 0u; p < P; p++) {
            for (var i = 0u; i < TM; i += 4u) {
                let a = staged_a[((buffer * P + p) * STEPS + step) * ROWS4 + (lane.y * TM + i) / 4u];
                for (var s = 0u; s < 4u; s++) {
                    for (var j = 0u; j < V; j++) {
                        let through = select(b[j], b[j] * b[j], p == 1u);
                        (*acc)[p][i + s][j] = fma(vec4<f32>(a[s]), through, (*acc)[p][i + s][j]);
                    }
                }
            }
        }
        // Runs end where the registers family ends them; it takes four terms at once.
        let four = stage.k + step / 4u * 4u;
        if LONG && step % 4u == 3u && four < end && (stage.segment * (g.k / 4u) + four / 4u + 1u) % RUN == 0u {
            close_run(acc, total);
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
    let seat = seat_of(lane);
    let m = (tile / g.tiles_n * ROWS4 + seat.row4) * 4u;
    let n = (tile % g.tiles_n * COLUMNS4 + seat.column4) * 4u;
    var staging: Place;
    arrive(&staging, m, n, 4u);
    var stage = Stage(span.last, 0u);
    if span.begin < span.end {
        stage = stage_of(span, tile, span.first);
    }
    var buffer = 0u;
    if stage.segment < span.last {
        enter(&staging, stage.segment, 4u);
        put(fetch(&staging, stage, span.end, seat, m, n), buffer, seat);
    }
    workgroupBarrier();
    while stage.segment < span.last {
        let after = stage_after(stage, span, tile);
        var fetched = Fetched();
        if after.segment < span.last {
            if after.segment != stage.segment {
                enter(&staging, after.segment, 4u);
            }
            fetched = fetch(&staging, after, span.end, seat, m, n);
        }
        multiply(stage, span.end, buffer, lane, acc, &total);
        if JOINT && after.segment != stage.segment {
            close_sample(acc);
        }
        if BUFFERS == 1u {
            workgroupBarrier();
        } else {
            buffer = 1u - buffer;
        }
        if after.segment < span.last {
            put(fetched, buffer, seat);
        }
        workgroupBarrier();
        stage = after;
    }
    if LONG {
        close_run(acc, &total);
        *acc = total;
    }
    arrive(place, m0, n0, TM);
}
