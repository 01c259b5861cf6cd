const TM: u32 = 1u;
const V: u32 = 1u;
const WX: u32 = 64u;
const WY: u32 = 1u;
const P: u32 = 1u;
const KEPT: u32 = 1u;
const TAPS: u32 = 1u;
const LONG: bool = false;
const RUN: u32 = 1024u;
const JOINT: bool = false;
const HELD: u32 = 1u;
const KS: u32 = 4u;
const KEEP: bool = false;

// gemm/gemm.wgsl
// The matrix product behind every pass:
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])
//
// A has P components per element (g | g, h | g, h, u …), B has one. `through` is the rule for a linear map: component 1 (h)
// is multiplied by B², every other by B. With P = 1 this is plain backprop, or an ordinary product.
//
// Tile: an invocation computes TM rows and V vec4 columns; a workgroup has WY × WX invocations. The columns of an invocation are WX
// vec4s apart, so that neighbours read neighbouring memory. The sum runs over segments (one for a dense layer; a kernel's taps or a
// batch's samples for a convolution) and over k within each. The order does not depend on the tile or the family (except
// cooperative, whose f16 rounding depends on the tile), so the gradient has the same bits in every mode.
//
// Plugs: sum_up, the family (registers | workgroup | cooperative); span_of, arrive, enter, passes, locate, next_k and row_at
// (walk_dense | walk_taps | walk_samples); a_four, four elements of A along k or along m (a_k | a_m | a_image) over a4 (a_vec4 |
// a_scalar); b_four, the same of B (b_k | b_n | b_image) over b4 (b_vec4 | b_scalar | b_updated); prepare, keep, finish and side
// (forward | signal | parameters | partial) over write_out (out_vec4 | out_scalar), hold and held (hold_out | hold_aside).
// Grid: g.splits times g.tiles workgroups, then those of `side`, folded into rows of g.grid_x.

struct Gemm {
    m: u32,
    n: u32,
    k: u32, // of one segment
    tiles_n: u32, // tiles along n
    tiles: u32, // tiles in all
    splits: u32, // parts that the sum is split into, each with its own result
    grid_x: u32,
    a_plane: u32, // distance between the planes of A, in elements
    c_plane: u32, // the same for the result: signal, kept activation input, partial sums; or between an update's moments
    bias: u32, // start of the bias, relative to the weight
    scale: f32, // factor for the stored gradient and diagonal
    first: u32, // start of the layer's weights in the parameters, in vec4s, where updates are fused
    image: Image, // of a convolution
}

// Images are [batch, height, width, channels], channels a multiple of four.
struct Image {
    rows: vec2<u32>, // size of the image whose positions the walk visits
    source: vec2<u32>, // size of the image that the windows read
    samples: u32,
    per_split: u32, // samples of one part of the sum
    parts: u32, // parts of one sample, if samples are split
    part: u32, // positions of such a part
    groups: u32,
    group_m: u32, // rows, columns and terms of one group
    group_n: u32,
    group_k: u32,
}

@group(0) @binding(0) var<uniform> g: Gemm;

// A workgroup's part of the sum: a range of segments, and of k within each. It is uniform, so barriers may depend on it.
struct Span {
    split: u32,
    first: u32,
    last: u32,
    begin: u32,
    end: u32,
}

alias Rows = array<f32, TM>;
alias Columns = array<vec4<f32>, V>;
alias Tile = array<array<Columns, TM>, P>;
alias Sums = array<vec4<f32>, KEPT>;

// The component that B² multiplies, if there is one.
const D: u32 = min(1u, P - 1u);

// A LONG sum is split into runs of RUN steps of four terms (cooperative: of RUN terms), to limit its rounding error.
fn close_run(acc: ptr<function, Tile>, total: ptr<function, Tile>) {
    for (var p = 0u; p < P; p++) {
        for (var i = 0u; i < TM; i++) {
            for (var j = 0u; j < V; j++) {
                (*total)[p][i][j] += (*acc)[p][i][j];
                (*acc)[p][i][j] = vec4<f32>(0.0);
            }
        }
    }
}

// The end of a sample whose positions share the parameters: u has been summed over the positions and is now squared.
fn close_sample(acc: ptr<function, Tile>) {
    for (var p = 2u; p < P; p++) {
        for (var i = 0u; i < TM; i++) {
            for (var j = 0u; j < V; j++) {
                let u = (*acc)[p][i][j];
                (*acc)[D][i][j] += u * u;
                (*acc)[p][i][j] = vec4<f32>(0.0);
            }
        }
    }
}

// Stores the sums and runs the fused epilogue.
fn leave(place: ptr<function, Place>, acc: ptr<function, Tile>, split: u32, m0: u32, n0: u32) {
    if m0 >= g.m {
        return;
    }
    // Branches are expensive in this unrolled loop, so rows past the end are stored at the last row, which is then overwritten.
    for (var j = 0u; j < V; j++) {
        let n = n0 + j * WX * 4u;
        if n < g.n {
            for (var back = 1u; back <= TM; back++) {
                let i = TM - back;
                if ONCE && m0 + i >= g.m {
                    continue;
                }
                var sums = Sums();
                for (var p = 0u; p < KEPT; p++) {
                    sums[p] = (*acc)[p][i][j];
                }
                keep(split, row_at(place, m0, i), n, i * V + j, sums);
            }
        }
    }
    // The fused epilogue is long, so its loop is not unrolled, unlike the one above, which must be. It reads the sums back from
    // where `keep` put them, by the invocation's slot.
    let rows = min(TM, g.m - m0);
    for (var e = 0u; e < rows * V; e++) {
        let n = n0 + e % V * WX * 4u;
        if n < g.n {
            finish(row_at(place, m0, e / V), n, e);
        }
    }
}

@compute @workgroup_size(WX, WY)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    prepare();
    let index = group.y * g.grid_x + group.x;
    if index >= g.tiles * g.splits {
        side(index - g.tiles * g.splits, lane);
        return;
    }
    let tile = index % g.tiles;
    let span = span_of(index / g.tiles, tile);
    let m0 = (tile / g.tiles_n * WY + lane.y) * TM;
    let n0 = (tile % g.tiles_n * WX * V + lane.x) * 4u;
    var acc: Tile;
    var place: Place;
    sum_up(span, tile, lane.xy, m0, n0, &place, &acc);
    leave(&place, &acc, span.split, m0, n0);
}

// gemm/out_vec4.wgsl
// out[i .. i + 4], the product's result, by vec4 accesses.
@group(0) @binding(3) var<storage, read_write> out: array<vec4<N3>>;

fn write_out(index: u32, value: vec4<f32>, valid: u32) {
    out[index / 4u] = vec4<N3>(storable(value));
}

fn read_out(index: u32) -> vec4<f32> {
    return vec4<f32>(out[index / 4u]);
}

// gemm/hold_out.wgsl
// held(index) = the sum stored by hold. Sums stay in the result buffer until the epilogue.
fn hold(slot: u32, p: u32, index: u32, value: vec4<f32>, valid: u32) {
    write_out(index, value, valid);
}

fn held(slot: u32, p: u32, index: u32) -> vec4<f32> {
    return read_out(index);
}

// gemm/registers.wgsl
// The family for software adapters and narrow products: every invocation loads its own operands, KS terms of k at a time. It uses
// no workgroup memory and no barriers, which are expensive on software adapters.
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])

fn load_a(place: ptr<function, Place>, p: u32, segment: u32, k: u32, m0: u32) -> array<Rows, KS> {
    var a: array<Rows, KS>;
    for (var i = 0u; i < TM; i += select(4u, 1u, A_ALONG_K)) {
        let four = a_four(place, p, segment, k, i, m0 + i);
        if A_ALONG_K {
            for (var s = 0u; s < KS; s++) {
                a[s][i] = four[s];
            }
        } else {
            a[0][i] = four.x;
            a[0][i + 1u] = four.y;
            a[0][i + 2u] = four.z;
            a[0][i + 3u] = four.w;
        }
    }
    return a;
}

fn load_b(place: ptr<function, Place>, segment: u32, k: u32, n0: u32) -> array<Columns, KS> {
    var b: array<Columns, KS>;
    if B_ALONG_K {
        for (var j = 0u; j < V; j++) {
            for (var c = 0u; c < 4u; c++) {
                let four = b_four(place, segment, k, j, n0 + j * WX * 4u + c);
                for (var s = 0u; s < KS; s++) {
                    b[s][j][c] = four[s];
                }
            }
        }
    } else {
        for (var s = 0u; s < KS; s++) {
            for (var j = 0u; j < V; j++) {
                b[s][j] = b_four(place, segment, k + s, j, n0 + j * WX * 4u);
            }
            next_k(place);
        }
    }
    return b;
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
    arrive(place, m0, n0, TM);
    for (var segment = span.first; segment < span.last; segment++) {
        if !enter(place, segment, TM) {
            continue;
        }
        locate(place, span.begin);
        for (var k = span.begin; k < span.end; k += KS) {
            var b = load_b(place, segment, k, n0);
            for (var p = 0u; p < P; p++) {
                var a = load_a(place, p, segment, k, m0);
                for (var i = 0u; i < TM; i++) {
                    for (var j = 0u; j < V; j++) {
                        for (var s = 0u; s < KS; s++) {
                            let through = select(b[s][j], b[s][j] * b[s][j], p == 1u);
                            (*acc)[p][i][j] = fma(vec4<f32>(a[s][i]), through, (*acc)[p][i][j]);
                        }
                    }
                }
            }
            // Counted from the start of the sum, including skipped segments.
            if LONG && (segment * (g.k / KS) + k / KS + 1u) % RUN == 0u {
                close_run(acc, &total);
            }
        }
        if JOINT {
            close_sample(acc);
        }
    }
    if LONG {
        close_run(acc, &total);
        *acc = total;
    }
}

// gemm/walk_dense.wgsl
// Σ over a dense layer's sum: one segment with all of k.
struct Place {
    unused: u32,
}

fn span_of(split: u32, tile: u32) -> Span {
    return Span(0u, 0u, 1u, 0u, g.k);
}

fn passes(tile: u32, segment: u32) -> bool {
    return false;
}

fn arrive(place: ptr<function, Place>, m0: u32, n0: u32, rows: u32) {}

fn enter(place: ptr<function, Place>, segment: u32, rows: u32) -> bool {
    return true;
}

fn locate(place: ptr<function, Place>, k: u32) {}

fn next_k(place: ptr<function, Place>) {}

fn row_at(place: ptr<function, Place>, m0: u32, i: u32) -> u32 {
    return min(m0 + i, g.m - 1u);
}

// gemm/forward.wgsl
// Use of the product: a dense layer (or convolution, over its taps) and the following activation.
//
//     a[m, n] = Σ_k x[m, k] W[n, k] + b[n]        z = act(a)
//
// A is x [batch, in], B is W [out, in]. Plane 0 of `out` stores z; plane 1 stores a if the backward pass needs it (KEEP).

const ONCE: bool = false;

fn prepare() {}

fn a_base(p: u32) -> u32 {
    return 0u;
}

fn keep(split: u32, m: u32, n: u32, slot: u32, sums: Sums) {
    hold(slot, 0u, m * g.n + n, sums[0], g.n - n);
}

fn finish(m: u32, n: u32, slot: u32) {
    let index = m * g.n + n;
    let a = held(slot, 0u, index) + bias4(n);
    write_out(index, vec4<f32>(act(a.x), act(a.y), act(a.z), act(a.w)), g.n - n);
    if KEEP {
        write_out(g.c_plane + index, a, g.n - n);
    }
}

fn side(group: u32, lane: vec3<u32>) {}

// gemm/a_k.wgsl
// A[m, k] stored row by row, k contiguous: the rows of the forward pass's input or of a signal.
const A_ALONG_K: bool = true;

fn a_four(place: ptr<function, Place>, p: u32, segment: u32, k: u32, i: u32, m: u32) -> vec4<f32> {
    let row = min(m, g.m - 1u);
    return a4_guarded(a_base(p) + row * g.k + k, g.k - k);
}

// gemm/b_k.wgsl
// B[k, n] stored as [n][segment][k], k contiguous: the weights [out, taps, in] in the forward pass.
const B_ALONG_K: bool = true;

fn b_four(place: ptr<function, Place>, segment: u32, k: u32, j: u32, n: u32) -> vec4<f32> {
    let column = min(n, g.n - 1u);
    return b4((column * TAPS + segment) * g.k + k);
}

// gemm/a_vec4.wgsl
// a4(i) = A[i .. i + 4] by one vec4 load: every row or column starts at a multiple of four elements.
@group(0) @binding(1) var<storage, read> a_data: array<vec4<N1>>;

fn a4(index: u32) -> vec4<f32> {
    return vec4<f32>(a_data[index / 4u]);
}

fn a4_guarded(index: u32, valid: u32) -> vec4<f32> {
    return vec4<f32>(a_data[index / 4u]); // sizes are multiples of four, so all four are valid
}

// gemm/b_vec4.wgsl
// b4(i) = B[i .. i + 4] by one vec4 load: every row or column starts at a multiple of four elements.
@group(0) @binding(2) var<storage, read> b_data: array<vec4<N2>>;

fn b4(index: u32) -> vec4<f32> {
    return vec4<f32>(b_data[index / 4u]);
}


// gemm/bias.wgsl
// bias4(n) = b[n .. n + 4]
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn bias4(column: u32) -> vec4<f32> {
    let last = arrayLength(&bias) - 1u; // padding channels have no bias; any value will do
    return vec4<f32>(
        bias[min(column, last)],
        bias[min(column + 1u, last)],
        bias[min(column + 2u, last)],
        bias[min(column + 3u, last)],
    );
}

// act/fn/relu.wgsl
// f = max(a, 0),  f' = 1 above 0, 0 at 0 and below,  f'' = 0
fn act(a: f32) -> f32 {
    return hs_with_nan_of(a, max(a, 0.0));
}

fn act_d(a: f32) -> vec2<f32> {
    return vec2(select(0.0, 1.0, a > 0.0), 0.0);
}

// lib/math.wgsl
// f(x) = 2^n g(r) or f(x) = ±g(r), x = n c + r:  exp, expm1, log, log1p, tanh, sigmoid, softplus, sin, cos, erf
//
// WGSL allows built-in functions to be off by thousands of ulp, and some drivers are. These are accurate to a few
// ulp everywhere. Because drivers differ, they do not rely on:
// - NaN and infinity: arguments are clamped so that intermediates stay finite.
// - Subnormal numbers: results and arguments below 2^-126 may count as 0.
// - Fusing a product and a sum into an fma: the first products of a range reduction are exact either way.
// - The order of sums: a `min` that never takes effect keeps a fast-math compiler from merging the reduction's parts.
// "Error" below is the largest measured against f64 over four million points on llvmpipe and SwiftShader, in units in
// the last place (ulp) of the exact result; a fast-math compiler, with or without fma, stays below twice that.

// NaN and infinity are detected by their bits, because compilers may evaluate comparisons with them either way. The functions below
// may return a finite value for NaN; a caller whose argument may be NaN must restore it with hs_with_nan_of.
fn hs_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn hs_is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// y, or NaN if `spoilt`. NaN is made from y's bits, because a NaN constant is an error.
fn hs_nan_where(spoilt: bool, y: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(y) | select(0u, 0x7fc00000u, spoilt));
}

// y, but NaN where x is NaN.
fn hs_with_nan_of(x: f32, y: f32) -> f32 {
    return hs_nan_where(hs_is_nan(x), y);
}

// p 2^n through the exponent bits; p and the result must be normal numbers.
fn hs_scale(p: f32, n: f32) -> f32 {
    return bitcast<f32>(bitcast<i32>(p) + (i32(n) << 23u));
}

// (e^(x + lo), e^(x + lo) - 1) for a correction lo that is small beside 1. Saturates above 88.72, flushes below -87.33.
// The two share one reduction: take both where both are needed.
fn hs_exp_sum(x: f32, lo: f32) -> vec2<f32> {
    let y = clamp(x, -87.33, 88.72);
    let n = round(y * 1.44269504);
    let r = min(y - n * 0.693145751953125, 1.0) - n * 1.42860677e-6 + lo;
    var p = fma(r, 0.00138706574, 0.00836626161);
    p = fma(r, p, 0.0416674353);
    p = fma(r, p, 0.166665465);
    p = fma(r, p, 0.49999997);
    let q = min(fma(r * r, p, r), 1.0); // so that 1 + q is the same number whether or not q itself is wanted
    let e = select(0.0, hs_scale(1.0 + q, n), x > -87.33);
    return vec2(e, select(e - 1.0, q, n == 0.0));
}

// Error 1.8 ulp.
fn hs_exp(x: f32) -> f32 {
    return hs_exp_sum(x, 0.0).x;
}

// Error 3.4 ulp.
fn hs_expm1(x: f32) -> f32 {
    return hs_exp_sum(x, 0.0).y;
}

// n with x = 2^n m and m in [sqrt(1/2), sqrt(2)).
fn hs_log_exponent(x: f32) -> i32 {
    return (bitcast<i32>(x) - 0x3f3504f3) >> 23u;
}

fn hs_log_mantissa(x: f32, n: i32) -> f32 {
    return bitcast<f32>(bitcast<i32>(x) - (n << 23u));
}

// log(2^n (1 + f))
fn hs_log_sum(n: f32, f: f32) -> f32 {
    var p = fma(f, -0.0763643906, 0.127622172);
    p = fma(f, p, -0.131596103);
    p = fma(f, p, 0.1420158);
    p = fma(f, p, -0.166234091);
    p = fma(f, p, 0.200012416);
    p = fma(f, p, -0.250008196);
    p = fma(f, p, 0.333333313);
    let ff = f * f;
    let log1p = fma(ff * f, p, fma(-0.5, ff, f));
    return fma(n, 0.693145751953125, fma(n, 1.42860677e-6, log1p));
}

// Arguments below the smallest normal number, including zero and negative ones, count as that number. Error 1.2 ulp.
fn hs_log(x: f32) -> f32 {
    let y = max(x, 1.17549435e-38);
    let n = hs_log_exponent(y);
    return hs_log_sum(f32(n), hs_log_mantissa(y, n) - 1.0);
}

// As hs_log at 1 + x. Error 2.6 ulp.
fn hs_log1p(x: f32) -> f32 {
    let y = max(1.0 + x, 1.17549435e-38);
    let n = hs_log_exponent(y);
    // Near 0, rounding 1 + x would lose x, so x itself is used.
    return hs_log_sum(f32(n), select(hs_log_mantissa(y, n) - 1.0, x, n == 0));
}

// Error 2.6 ulp.
fn hs_tanh(x: f32) -> f32 {
    let m = hs_expm1(-2.0 * abs(x));
    let t = m / (2.0 + m);
    return select(-t, t, x < 0.0);
}

// (sigmoid(x), sigmoid(-x)), both with small relative error. Error 3.1 ulp.
fn hs_sigmoid_pair(x: f32) -> vec2<f32> {
    let e = hs_exp(-abs(x));
    let big = 1.0 / (1.0 + e);
    let small = e * big;
    return select(vec2(big, small), vec2(small, big), x < 0.0);
}

fn hs_sigmoid(x: f32) -> f32 {
    return hs_sigmoid_pair(x).x;
}

// Error 3.4 ulp.
fn hs_softplus(x: f32) -> f32 {
    return max(x, 0.0) + hs_log1p(hs_exp(-abs(x)));
}

// (sin x, cos x). Error 1.8 ulp, but 5e-15 |x| near a zero. Beyond 12,000 the reduction loses digits, never more than
// the spacing of x; beyond a million x counts as a million.
fn hs_sin_cos(x: f32) -> vec2<f32> {
    let y = clamp(x, -1e6, 1e6);
    let n = round(y * 0.636619772);
    let r = min(min(y - n * 1.5703125, 512.0) - n * 0.0004837512969970703125, 2.0) - n * 7.54979013e-8;
    let z = r * r;
    let s = fma(r * z, fma(z, fma(z, -0.000195180997, 0.00833218824), -0.166666552), r);
    let c = fma(z * z, fma(z, fma(z, 2.44306684e-5, -0.00138873013), 0.0416666456), fma(-0.5, z, 1.0));
    let quadrant = i32(n);
    let turned = select(vec2(s, c), vec2(c, s), (quadrant & 1) == 1);
    // One condition per component: some HLSL dialects have no vector conditions.
    return vec2(
        select(turned.x, -turned.x, (quadrant & 2) == 2),
        select(turned.y, -turned.y, ((quadrant + 1) & 2) == 2),
    );
}

fn hs_sin(x: f32) -> f32 {
    return hs_sin_cos(x).x;
}

fn hs_cos(x: f32) -> f32 {
    return hs_sin_cos(x).y;
}

// (density of the normal distribution at x, its tail P(X > |x|)), both with small relative error. Errors 2.7 and 6.1 ulp.
fn hs_normal(x: f32) -> vec2<f32> {
    let y = min(abs(x), 14.0);
    // y^2 = h^2 + (y - h)(y + h) with h^2 exact: its rounding would cost y^2 ulp.
    let h = bitcast<f32>(bitcast<u32>(y) & 0xfffff000u);
    let density = 0.398942280 * hs_exp_sum(-0.5 * h * h, -0.5 * (y - h) * (y + h)).x;
    // (y + 2.5) tail / density is smooth, and a polynomial in t.
    let d = 1.0 / (y + 2.5);
    let t = (y - 2.5) * d;
    var p = fma(t, -0.000394602306, -0.000771145918);
    p = fma(t, p, 0.00172697438);
    p = fma(t, p, 0.00631908793);
    p = fma(t, p, -0.00402351748);
    p = fma(t, p, -0.041072201);
    p = fma(t, p, 0.0231540073);
    p = fma(t, p, 0.330842018);
    p = fma(t, p, -1.08710492);
    p = fma(t, p, 1.77132559);
    return vec2(density, density * (d * p));
}

// Error 2 ulp.
fn hs_erf(x: f32) -> f32 {
    let y = min(abs(x), 10.0);
    let z = y * y;
    var p = fma(z, -0.000605344598, 0.00500434591);
    p = fma(z, p, -0.0267733987);
    p = fma(z, p, 0.112819783);
    p = fma(z, p, -0.376125067);
    p = fma(z, p, 0.128379151);
    let t = select(1.0 - 2.0 * hs_normal(1.41421356 * y).y, fma(y, p, y), y < 0.9);
    return select(t, -t, x < 0.0);
}

alias N1 = f32;
alias N2 = f32;
alias N3 = f32;
alias N4 = f32;
alias N5 = f32;

// lib/store_exact.wgsl
// storable(x) = x: values are stored unchanged.
fn storable(value: vec4<f32>) -> vec4<f32> {
    return value;
}
