// The signal of a loss along a direction ż of its logits, for a loss that is a sum over K parts with HEADS outputs each:
//
//     at z: c H ż      at ż: c g      H = (h₀ m; m h₁) of a part with two outputs, h of one; c the reduction factor
//
// Plugs: read_row, part; mixed (mixed_none | mixed_log | mixed_softplus): m; access to rows.

fn loss_of_row(n: u32, real: bool, lane: vec3<u32>) -> f32 {
    let at = row_at(n);
    read_row(n, at, lane);
    let count = p.outputs / HEADS;
    var value = 0.0;
    for (var start = lane.x; start < count; start += RUN) {
        var run = 0.0;
        for (var k = start; k < min(start + RUN, count); k += LANES) {
            let mine = part(n, at, k);
            run += mine.value;
            for (var head = 0u; head < HEADS && real; head++) {
                let output = head * count + k;
                var product = mine.h[head] * along(at, output);
                if HEADS == 2u {
                    product += mixed(n, at, k) * along(at, (1u - head) * count + k);
                }
                put_both(at, output, p.factor * product, p.factor * mine.g[head]);
            }
        }
        value += run;
    }
    return p.factor * row_sum(vec4<f32>(value), lane).x;
}
