// The family for software adapters and narrow products: every invocation loads its own operands, KS terms of k at a time. It uses
// no workgroup memory and no barriers, which are expensive on software adapters.
//
//     acc[m, n] = Σ_k through(A[m, k], B[k, n])

// A grouped convolution's channels begin at a multiple of this.
const GRAIN: u32 = KS;

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
    var run = 0u;
    arrive(place, m0, n0, TM);
    for (var segment = span.first; segment < span.last; segment++) {
        if !enter(place, segment, TM) {
            continue;
        }
        locate(place, span.begin);
        for (var k = span.begin; k < span.end; k += KS) {
            if LONG && run_of(segment, k) != run {
                close_run(acc, &total);
                run = run_of(segment, k);
            }
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
