// A loss of a whole row in the user's own text: value, g and h of part k, by what it has found in the row:
//
//     row = read_row()      part k = part(row, k)
//
// Every invocation that shares a row reads all of it. Past its end is its last element; with an output that is not finite all of it
// is NaN. TARGETS: how many a row has, 0: as many as outputs. Plugs: own_loss_Row, own_loss_read_row, own_loss_part.
const HEADS: u32 = 1u;

var<private> own_place: vec2<u32>; // the row, and where it begins
var<private> own_spoilt: bool;
var<private> own_row: own_loss_Row;

fn output_count() -> u32 {
    return p.outputs;
}

fn target_count() -> u32 {
    return select(TARGETS, p.outputs, TARGETS == 0u);
}

fn output_at(k: u32) -> f32 {
    return logit(own_place.y, min(k, output_count() - 1u));
}

fn target_at(k: u32) -> f32 {
    return bitcast<f32>(target_bits(own_place.x * target_count() + min(k, target_count() - 1u)));
}

fn read_row(n: u32, at: u32, lane: vec3<u32>) {
    own_place = vec2<u32>(n, at);
    var lost = 0.0;
    for (var k = lane.x; k < p.outputs; k += LANES) {
        lost += select(1.0, 0.0, hs_is_finite(logit(at, k)));
    }
    own_spoilt = row_sum(vec4<f32>(lost), lane).x > 0.0;
    own_row = own_loss_read_row();
}

fn part(n: u32, at: u32, k: u32) -> Part {
    let mine = own_loss_part(own_row, k);
    let value = hs_nan_where(own_spoilt, mine.value);
    let g = hs_nan_where(own_spoilt, mine.g);
    let h = hs_nan_where(own_spoilt, mine.h);
    return Part(value, vec2<f32>(g, 0.0), vec2<f32>(h, 0.0));
}
