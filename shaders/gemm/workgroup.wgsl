// The family of GPUs: a workgroup sums up together. STEPS steps of k at a time, its tiles of A and B are staged in workgroup
// memory, from where each element serves a row or a column of invocations; the next ones are fetched into registers meanwhile.
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])
//
// A block is four rows (columns) by four steps of k, fetched as four vec4s and turned where those lie along k, so that what is
// staged is [k][m] and [k][n]. Neighbouring invocations stage neighbouring vec4s, and read neighbouring ones or the same:
// no two wait for the same bank. With two BUFFERS one is filled while the other is read, and a stage needs one barrier, else
// two. Barriers depend on g, the span and constants only, which are the same in the whole workgroup.

const LANES: u32 = WX * WY;
// vec4s along the tile's rows and columns.
const ROWS4: u32 = WY * TM / 4u;
const COLUMNS4: u32 = WX * V;
// Blocks of a stage along k.
const DEEP: u32 = STEPS / 4u;
// Blocks that stand above each other are numbered, those of all numbers of A; so many are fetched at once, in so many rounds.
const A_AT_ONCE: u32 = LANES / ROWS4;
const B_AT_ONCE: u32 = LANES / COLUMNS4;
const A_ROUNDS: u32 = (P * DEEP + A_AT_ONCE - 1u) / A_AT_ONCE;
const B_ROUNDS: u32 = (DEEP + B_AT_ONCE - 1u) / B_AT_ONCE;

var<workgroup> staged_a: array<vec4<f32>, BUFFERS * P * STEPS * ROWS4>;
var<workgroup> staged_b: array<vec4<f32>, BUFFERS * STEPS * COLUMNS4>;

// One step of k a column.
alias Block = mat4x4<f32>;

// What an invocation has fetched of a stage.
struct Fetched {
    a: array<Block, A_ROUNDS>,
    b: array<Block, B_ROUNDS>,
}

// A stage: STEPS steps of k from here.
struct Stage {
    segment: u32,
    k: u32,
}

// The first stage of a segment, or of the next that the tile does not pass over.
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

// The vec4 of rows and of columns that an invocation stages, and which blocks of those it begins with. The last invocations
// begin with B's: where there are more than blocks, all have something to do.
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

// Steps past the end are zeros in A; what they are in B does not matter then, so it is anything that can be read.
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
        // Where the other family closes a run, which takes four steps at once.
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
    var total: Tile; // of the runs that are done, where the sum is LONG
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
