// The family for matrix units: the subgroups of a workgroup multiply blocks of SIDE × SIDE, each a matrix distributed over the
// lanes of a subgroup (wgpu's cooperative matrices). Operands are rounded to Operand, f16 or f32; sums are f32.
//
//     acc[m, n] = 2^-(a + b) Σ_k f16(2^a A[m, k]) f16(2^b B[k, n])                  h: 2^-(a + 2b - 15), f16(2^(2b - 15) B²)
//
// (with f32 operands a = b = 0 and no 15). Powers of two scale f16 operands into range: one for each component of A and one for B,
// per tile, from the largest element so far. If a stage has an element too large for them, the sums so far are collected and
// smaller powers chosen. An element is off by at most 2^-11 of itself (2^-10 if a driver rounds towards zero), or by 2^-36 of the
// largest; a square by 2^-32 of the largest square.
//
// STEPS terms of k at a time are staged in workgroup memory, as [m][k] and, depending on B's layout, [n][k] or [k][n]; the next
// stage is fetched meanwhile. TEAMS subgroups own HIGH × WIDE blocks each. Subgroups draw their team number from an atomic counter,
// because the subgroup's index is not available here. If subgroups are smaller than assumed, the surplus ones have no team and only
// fetch.

const LANES: u32 = WX * WY;
const ROWS: u32 = WY * TM;
const COLUMNS: u32 = 4u * WX * V;
const TEAMS_N: u32 = COLUMNS / SIDE / WIDE;
const TEAMS: u32 = ROWS / SIDE / HIGH * TEAMS_N;
const SHARE: u32 = HIGH * WIDE;
const BLOCK: u32 = SIDE * SIDE;
const DEEP: u32 = STEPS / 4u;
// vec4s of a stage, and the number of rounds in which they are fetched.
const A_FOURS: u32 = P * ROWS * DEEP;
const B_FOURS: u32 = COLUMNS * DEEP;
const A_ROUNDS: u32 = (A_FOURS + LANES - 1u) / LANES;
const B_ROUNDS: u32 = (B_FOURS + LANES - 1u) / LANES;
// Staged copies of B: B, and its square if there is h.
const POWERS: u32 = 1u + D;

// Exponents: of the largest element when powers are chosen; above which they are chosen again; the extra down-scaling of a
// square.
const TOP: i32 = 11;
const MOST: i32 = 14;
const SQUARE: i32 = 15;

var<workgroup> staged_a: array<Operand, P * ROWS * STEPS>;
var<workgroup> staged_b: array<Operand, POWERS * COLUMNS * STEPS>;
// One block of each team, to pass its sums to the invocations, and a block of zeros.
var<workgroup> passing: array<f32, TEAMS * BLOCK>;
var<workgroup> zeros: array<f32, BLOCK>;
// Bits of the largest finite |A| of each component, and of the largest finite |B|, so far.
var<workgroup> largest: array<atomic<u32>, P + 1u>;
var<workgroup> drawn: atomic<u32>;
// Whether to choose the powers again. One invocation decides, because barriers depend on it.
var<workgroup> anew: u32;

alias Shares = array<MatrixC, P * SHARE>;
alias Powers = array<i32, P + 1u>;

struct Fetched {
    a: array<vec4<f32>, A_ROUNDS>,
    b: array<vec4<f32>, B_ROUNDS>,
}

// An invocation's place in the workgroup, and the tile's.
struct Seat {
    index: u32,
    team: u32,
    m: u32, // first row and column of the tile
    n: u32,
}

// Draws a number for each subgroup, from 0 up.
fn draw(index: u32) -> u32 {
    var ticket = 0u;
    if index == subgroupMin(index) {
        ticket = atomicAdd(&drawn, 1u);
    }
    return subgroupMax(ticket);
}

fn power(exponent: i32) -> f32 {
    return bitcast<f32>(u32(exponent + 127) << 23u);
}

// The exponent of the float with these bits.
fn exponent(bits: u32) -> i32 {
    return i32(bits >> 23u) - 127;
}

// Whether an element is too large for the current powers; uniform over the workgroup.
fn outgrown(seat: Seat, powers: ptr<function, Powers>) -> bool {
    if seat.index == 0u {
        var found = false;
        for (var p = 0u; p <= P; p++) {
            found = found || exponent(atomicLoad(&largest[p])) + (*powers)[p] > MOST;
        }
        anew = u32(found);
    }
    return workgroupUniformLoad(&anew) != 0u;
}

fn note(number: u32, four: vec4<f32>) {
    if HALF {
        // Scaled by any power, infinity and NaN stay what they are, so only finite elements count.
        let bits = bitcast<vec4<u32>>(four) & vec4<u32>(0x7fffffffu);
        let size = select(vec4<u32>(0u), bits, bits < vec4<u32>(0x7f800000u));
        atomicMax(&largest[number], max(max(size.x, size.y), max(size.z, size.w)));
    }
}

// Terms past the end are zero in A, so their values in B do not matter; B reads any valid address.
fn fetch(place: ptr<function, Place>, seat: Seat, k0: u32, end: u32) -> Fetched {
    var fetched: Fetched;
    for (var round = 0u; round < A_ROUNDS; round++) {
        let four = round * LANES + seat.index;
        if four < A_FOURS {
            let p = four / (DEEP * ROWS);
            let k = k0 + four % DEEP * 4u;
            let inside = k < end;
            let a = a_four(place, p, 0u, select(k0, k, inside), 0u, seat.m + four / DEEP % ROWS);
            fetched.a[round] = select(vec4<f32>(0.0), a, inside);
            note(p, fetched.a[round]);
        }
    }
    for (var round = 0u; round < B_ROUNDS; round++) {
        let four = round * LANES + seat.index;
        if four < B_FOURS {
            var k = k0 + four / (COLUMNS / 4u);
            var n = seat.n + four % (COLUMNS / 4u) * 4u;
            if B_ALONG_K {
                k = k0 + four % DEEP * 4u;
                n = seat.n + four / DEEP;
            }
            fetched.b[round] = b_four(place, 0u, select(k0, k, k < end), 0u, n);
            note(P, fetched.b[round]);
        }
    }
    return fetched;
}

fn put_a(at: u32, four: vec4<f32>) {
    staged_a[at] = Operand(four.x);
    staged_a[at + 1u] = Operand(four.y);
    staged_a[at + 2u] = Operand(four.z);
    staged_a[at + 3u] = Operand(four.w);
}

fn put_b(at: u32, four: vec4<f32>) {
    staged_b[at] = Operand(four.x);
    staged_b[at + 1u] = Operand(four.y);
    staged_b[at + 2u] = Operand(four.z);
    staged_b[at + 3u] = Operand(four.w);
}

fn put(seat: Seat, given: Fetched, powers: ptr<function, Powers>) {
    var fetched = given;
    for (var round = 0u; round < A_ROUNDS; round++) {
        let four = round * LANES + seat.index;
        if four < A_FOURS {
            put_a(four * 4u, fetched.a[round] * power((*powers)[four / (DEEP * ROWS)]));
        }
    }
    for (var round = 0u; round < B_ROUNDS; round++) {
        let four = round * LANES + seat.index;
        if four < B_FOURS {
            let b = fetched.b[round] * power((*powers)[P]);
            put_b(four * 4u, b);
            if P > 1u {
                put_b((B_FOURS + four) * 4u, b * b * power(select(0, -SQUARE, HALF)));
            }
        }
    }
}

fn load_a(p: u32, row: u32, k: u32) -> MatrixA {
    return coopLoadT<MatrixA>(&staged_a[(p * ROWS + row) * STEPS + k], STEPS);
}

fn load_b(square: u32, k: u32, column: u32) -> MatrixB {
    let start = square * COLUMNS * STEPS;
    if B_ALONG_K {
        return coopLoad<MatrixB>(&staged_b[start + column * STEPS + k], STEPS);
    }
    return coopLoadT<MatrixB>(&staged_b[start + k * COLUMNS + column], COLUMNS);
}

fn multiply(team: u32, shares: ptr<function, Shares>) {
    let row = team / TEAMS_N * HIGH * SIDE;
    let column = team % TEAMS_N * WIDE * SIDE;
    var b: array<MatrixB, POWERS * WIDE>;
    for (var k = 0u; k < STEPS; k += SIDE) {
        for (var j = 0u; j < POWERS * WIDE; j++) {
            b[j] = load_b(j / WIDE, k, column + j % WIDE * SIDE);
        }
        for (var p = 0u; p < P; p++) {
            for (var i = 0u; i < HIGH; i++) {
                let a = load_a(p, row + i * SIDE, k);
                for (var j = 0u; j < WIDE; j++) {
                    let share = (p * HIGH + i) * WIDE + j;
                    (*shares)[share] = coopMultiplyAdd(a, b[select(j, WIDE + j, p == 1u)], (*shares)[share]);
                }
            }
        }
    }
}

fn clear(shares: ptr<function, Shares>) {
    for (var share = 0u; share < P * SHARE; share++) {
        (*shares)[share] = coopLoadT<MatrixC>(&zeros[0], SIDE);
    }
}

// Adds the teams' blocks, one of each team at a time, to the invocations' sums, removing the powers of two.
fn collect(
    seat: Seat,
    lane: vec2<u32>,
    powers: ptr<function, Powers>,
    shares: ptr<function, Shares>,
    acc: ptr<function, Tile>,
) {
    for (var p = 0u; p < P; p++) {
        // In two factors, because their product may exceed f32's range.
        let squared = select((*powers)[P], 2 * (*powers)[P] - SQUARE, HALF && p == 1u);
        let both = clamp((*powers)[p] + squared, -252, 252);
        let half = power(-(both / 2));
        let rest = power(both / 2 - both);
        for (var share = 0u; share < SHARE; share++) {
            if seat.team < TEAMS {
                coopStoreT((*shares)[p * SHARE + share], &passing[seat.team * BLOCK], SIDE);
            }
            workgroupBarrier();
            for (var i = 0u; i < TM; i++) {
                let row = lane.y * TM + i;
                for (var j = 0u; j < V; j++) {
                    let column = (j * WX + lane.x) * 4u;
                    let high = row / SIDE;
                    let wide = column / SIDE;
                    if high % HIGH * WIDE + wide % WIDE == share {
                        let team = high / HIGH * TEAMS_N + wide / WIDE;
                        let at = team * BLOCK + row % SIDE * SIDE + column % SIDE;
                        let sum = vec4<f32>(passing[at], passing[at + 1u], passing[at + 2u], passing[at + 3u]);
                        (*acc)[p][i][j] += sum * half * rest;
                    }
                }
            }
            workgroupBarrier();
        }
    }
    clear(shares);
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
    let index = lane.y * WX + lane.x;
    for (var i = index; i < BLOCK; i += LANES) {
        zeros[i] = 0.0;
    }
    if index == 0u {
        atomicStore(&drawn, 0u);
        for (var p = 0u; p <= P; p++) {
            atomicStore(&largest[p], 0u);
        }
    }
    workgroupBarrier();
    let seat = Seat(index, draw(index), tile / g.tiles_n * ROWS, tile % g.tiles_n * COLUMNS);
    var powers: Powers;
    for (var p = 0u; p <= P; p++) {
        powers[p] = select(0, 100, HALF);
    }
    var shares: Shares;
    clear(&shares);
    var fetched = fetch(place, seat, span.begin, span.end);
    workgroupBarrier();
    for (var k = span.begin; k < span.end; k += STEPS) {
        // `largest` changes only after the next barrier.
        var grown = LONG && k % RUN == 0u;
        if HALF {
            grown = outgrown(seat, &powers) || grown;
        }
        if grown {
            if k > span.begin {
                collect(seat, lane, &powers, &shares, acc);
            }
            for (var p = 0u; HALF && p <= P; p++) {
                powers[p] = min(powers[p], TOP - exponent(atomicLoad(&largest[p])));
            }
        }
        put(seat, fetched, &powers);
        workgroupBarrier();
        if k + STEPS < span.end {
            fetched = fetch(place, seat, k + STEPS, span.end);
        }
        if seat.team < TEAMS {
            multiply(seat.team, &shares);
        }
        workgroupBarrier();
    }
    collect(seat, lane, &powers, &shares, acc);
    arrive(place, m0, n0, TM);
}
