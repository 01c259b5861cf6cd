// The family for few samples or few outputs, where reading B is what a product costs: WY invocations share every sum, so that B is
// read once, by enough invocations, and neighbours read neighbouring vec4s.
//
//     acc[m, n] = Σ_y Σ_{k in slice y} through(A[m, k], B[k, n])
//
// Slice y has every WYth four of k, from the yth on. An invocation sums its slice in order, for SUM_ROWS rows and SUM_VECTORS vec4
// columns; then the slices are added in a tree of two levels through workgroup memory. So the order of a sum depends on WY alone:
// it is the same for every number of components, rows and columns, and with one slice it is that of the other families. A LONG sum
// has no runs, because a slice is short.
//
// The columns of an invocation are WX vec4s apart. Where B lies along k, neighbours differ in their slice, else in their column.
// An invocation finishes one vec4 of the tile (TM = V = 1), or nothing: SUM_ROWS × SUM_VECTORS are at most WY.

// Fours of a slice whose B is fetched before the first is multiplied.
const AHEAD: u32 = max(1u, 2u / SUM_VECTORS);
// Slices that the levels of the tree add.
const FAN: u32 = min(WY, 16u);
const FANS: u32 = WY / FAN;

const SUMS: u32 = SUM_ROWS * SUM_VECTORS;

// Sums of one component whose slices are in workgroup memory at a time, for 16 KiB. The name is workgroup's, so that one of each in
// a dispatch share the memory.
const AT_ONCE: u32 = min(SUMS, max(1u, 1024u / (WX * WY)));
var<workgroup> staged_a: array<f32, 4u * AT_ONCE * WY * WX>;

fn put(at: u32, four: vec4<f32>) {
    for (var c = 0u; c < 4u; c++) {
        staged_a[4u * at + c] = four[c];
    }
}

fn got(at: u32) -> vec4<f32> {
    return vec4<f32>(staged_a[4u * at], staged_a[4u * at + 1u], staged_a[4u * at + 2u], staged_a[4u * at + 3u]);
}

// Of one component.
alias Sliced = array<array<vec4<f32>, SUM_VECTORS>, SUM_ROWS>;
// Four steps of k of each vec4 column.
alias Fetched = array<mat4x4<f32>, SUM_VECTORS>;

// Row and column of the vec4 that an invocation finishes.
fn corner_of(tile: u32, lane: vec2<u32>) -> vec2<u32> {
    let m = tile / g.tiles_n * SUM_ROWS + lane.y / SUM_VECTORS;
    let n = ((tile % g.tiles_n * SUM_VECTORS + lane.y % SUM_VECTORS) * WX + lane.x) * 4u;
    return vec2<u32>(select(g.m, m, lane.y < SUMS), n);
}

fn fetch(place: ptr<function, Place>, k: u32, n: u32) -> Fetched {
    var fetched: Fetched;
    for (var j = 0u; j < SUM_VECTORS; j++) {
        for (var s = 0u; s < 4u; s++) {
            let step = k + select(s, 0u, B_ALONG_K);
            let column = n + j * WX * 4u + select(0u, s, B_ALONG_K);
            fetched[j][s] = b_four(place, 0u, step, j, column);
        }
        if B_ALONG_K {
            fetched[j] = transpose(fetched[j]);
        }
    }
    return fetched;
}

// A level of the tree: of `left` slices of a sum those that are left / fan apart are added to the first. Each invocation adds for
// itself.
fn add_up(index: u32, left: u32, fan: u32) {
    let next = left / fan;
    for (var at = index; at < AT_ONCE * next * WX; at += WX * WY) {
        let first = at / (next * WX) * WY * WX + at % (next * WX);
        var sum = got(first);
        for (var s = 1u; s < fan; s++) {
            sum += got(first + s * next * WX);
        }
        put(first, sum);
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
    let index = lane.y * WX + lane.x;
    let slice = select(lane.y, index % WY, B_ALONG_K);
    let column = select(lane.x, index / WY, B_ALONG_K);
    let m = tile / g.tiles_n * SUM_ROWS;
    let n = (tile % g.tiles_n * SUM_VECTORS * WX + column) * 4u;
    var sums: array<Sliced, P>;
    for (var k = span.begin + slice * 4u; k < span.end; k += AHEAD * WY * 4u) {
        // Terms past the end are zero in A, so their values in B do not matter; both are read at a valid place.
        var b = array<Fetched, AHEAD>();
        for (var ahead = 0u; ahead < AHEAD; ahead++) {
            let step = k + ahead * WY * 4u;
            b[ahead] = fetch(place, select(k, step, step < span.end), n);
        }
        for (var p = 0u; p < P; p++) {
            for (var i = 0u; i < SUM_ROWS; i++) {
                for (var ahead = 0u; ahead < AHEAD; ahead++) {
                    let step = k + ahead * WY * 4u;
                    let inside = step < span.end;
                    let four = a_four(place, p, 0u, select(k, step, inside), i, m + i);
                    let a = select(vec4<f32>(0.0), four, inside);
                    for (var j = 0u; j < SUM_VECTORS; j++) {
                        for (var s = 0u; s < 4u; s++) {
                            let one = b[ahead][j][s];
                            let through = select(one, one * one, p == 1u);
                            sums[p][i][j] = fma(vec4<f32>(a[s]), through, sums[p][i][j]);
                        }
                    }
                }
            }
        }
    }
    for (var p = 0u; p < P; p++) {
        for (var first = 0u; first < SUMS; first += AT_ONCE) {
            if p + first > 0u {
                workgroupBarrier();
            }
            for (var e = 0u; e < AT_ONCE; e++) {
                let sum = min(first + e, SUMS - 1u);
                put((e * WY + slice) * WX + column, sums[p][sum / SUM_VECTORS][sum % SUM_VECTORS]);
            }
            workgroupBarrier();
            // The last level makes each sum in the invocation that finishes it. (Of those before, `own` is past all sums.)
            let own = index - first * WX;
            if FANS > 1u {
                add_up(index, WY, FAN);
                workgroupBarrier();
                add_up(own, FANS, FANS);
            } else {
                add_up(own, WY, FAN);
            }
            if lane.y >= first && lane.y < first + AT_ONCE {
                (*acc)[p][0][0] = got((lane.y - first) * WY * WX + lane.x);
            }
        }
    }
}
