// The bias beside a product, b[m] = Σ_s Σ_k A[s, k, m], by workgroups after those of the tiles. An invocation that added up all
// terms would wait for one load after another, so k is dealt to PARTS of them in turn, each with four outputs. Their sums are added
// in workgroup memory. Plugs: bias_span and leave_bias.

// The same for all tiles, as the order of the sums depends on it.
const PARTS: u32 = 16u;
// Terms of a run where there are many: 32 of each part.
const SIDE_RUN: u32 = 32u * PARTS;
// vec4s of outputs that a workgroup adds up.
const WIDE: u32 = LANES / PARTS;

fn side(group: u32, lane: vec3<u32>) {
    let groups = (g.m + 4u * WIDE - 1u) / (4u * WIDE);
    let index = lane.y * WX + lane.x;
    let m = (group % groups * WIDE + index % WIDE) * 4u;
    // Invocations past the last output go along, as there are barriers.
    let column = min(m, (g.m - 1u) / 4u * 4u);
    let span = bias_span(group / groups);
    var sums: Sides;
    var run: Sides;
    for (var sample = span.first; sample < span.last; sample++) {
        for (var start = span.begin; start < span.end; start += BIAS_RUN) {
            for (var k = start + index / WIDE; k < min(start + BIAS_RUN, span.end); k += PARTS) {
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
