// The bias beside a product, b[m] = Σ_s Σ_k A[s, k, m], by workgroups after those of the tiles. An invocation that added up all
// terms would wait for one load after another, so k is dealt to PARTS of them in turn, BIAS_DEAL terms at a time, each with four
// outputs. Their sums are added in workgroup memory. Plugs: bias_span and leave_bias.

// The same for all tiles, as the order of the sums depends on it.
const PARTS: u32 = 16u;
// vec4s of outputs that a workgroup adds up.
const WIDE: u32 = LANES / PARTS;

fn side(group: u32, lane: vec3<u32>) {
    let groups = (g.m + 4u * WIDE - 1u) / (4u * WIDE);
    let index = lane.y * WX + lane.x;
    let m = (group % groups * WIDE + index % WIDE) * 4u;
    // Invocations past the last output go along, as there are barriers.
    let column = min(m, (g.m - 1u) / 4u * 4u);
    let span = bias_span(group / groups);
    let runs = (span.end - span.begin + BIAS_DEAL - 1u) / BIAS_DEAL;
    var sums: Sides;
    var run: Sides;
    for (var sample = span.first; sample < span.last; sample++) {
        // Runs are counted through all samples.
        let first = (index / WIDE + PARTS - (sample - span.first) * runs % PARTS) % PARTS;
        for (var start = span.begin + first * BIAS_DEAL; start < span.end; start += PARTS * BIAS_DEAL) {
            for (var k = start; k < min(start + BIAS_DEAL, span.end); k++) {
                for (var p = 0u; p < P; p++) {
                    run[p] += a4_guarded(a_base(p) + (sample * g.k + k) * g.m + column, g.m - column);
                }
            }
            for (var p = 0u; p < P; p++) {
                sums[p] += run[p];
                run[p] = vec4<f32>(0.0);
            }
        }
        if JOINT {
            add_parts(index, 2u, P, &sums);
            for (var p = 2u; p < P; p++) {
                sums[D] += select(vec4<f32>(0.0), sums[p] * sums[p], index < WIDE);
                sums[p] = vec4<f32>(0.0);
            }
        }
    }
    add_parts(index, 0u, KEPT, &sums);
    if index < WIDE && m < g.m {
        leave_bias(span.split, m, sums);
    }
}

// Adds those sums of all parts, for the invocations of the first.
fn add_parts(index: u32, first: u32, end: u32, sums: ptr<function, Sides>) {
    for (var p = first; p < end; p++) {
        for (var c = 0u; c < 4u; c++) {
            staged_a[(p * 4u + c) * LANES + index] = (*sums)[p][c];
        }
    }
    workgroupBarrier();
    if index < WIDE {
        for (var p = first; p < end; p++) {
            for (var part = 1u; part < PARTS; part++) {
                for (var c = 0u; c < 4u; c++) {
                    (*sums)[p][c] += staged_a[(p * 4u + c) * LANES + part * WIDE + index];
                }
            }
        }
    }
    workgroupBarrier();
}
