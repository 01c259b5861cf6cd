// The bias beside a product, b[m] = Σ_s Σ_k A[s, k, m], by workgroups after those of the tiles: each invocation adds up four
// outputs, in runs of BIAS_RUN terms. Plugs: bias_span and leave_bias. Terms of a run where there are many.
const SIDE_RUN: u32 = 32u;

fn side(group: u32, lane: vec3<u32>) {
    let groups = (g.m + 4u * WX * WY - 1u) / (4u * WX * WY);
    let m = ((group % groups * WY + lane.y) * WX + lane.x) * 4u;
    if BIAS && m < g.m {
        let span = bias_span(group / groups);
        var sums: Sides;
        var run: Sides;
        for (var sample = span.first; sample < span.last; sample++) {
            for (var start = span.begin; start < span.end; start += BIAS_RUN) {
                for (var k = start; k < min(start + BIAS_RUN, span.end); k++) {
                    for (var p = 0u; p < P; p++) {
                        run[p] += a4_guarded(a_base(p) + (sample * g.k + k) * g.m + m, g.m - m);
                    }
                }
                for (var p = 0u; p < P; p++) {
                    sums[p] += run[p];
                    run[p] = vec4<f32>(0.0);
                }
            }
            if JOINT {
                for (var p = 2u; p < P; p++) {
                    sums[D] += sums[p] * sums[p];
                    sums[p] = vec4<f32>(0.0);
                }
            }
        }
        leave_bias(span.split, m, sums);
    }
}
