// B is fetched from where the tap of each column reads a sample, at the positions of the stage, and is zero outside the image.
struct SeatB {
    tap: array<u32, B_ROUNDS>,
    channel: array<u32, B_ROUNDS>,
    position: array<vec2<u32>, B_ROUNDS>, // of the next stage
    inside: array<bool, B_ROUNDS>, // of the stage fetched last
}

fn sit_b(seat: ptr<function, SeatB>, lane: u32, n0: u32) {
    let channels = g.n / TAPS;
    for (var r = 0u; r < B_ROUNDS; r++) {
        let column = min(n0 + item_of(lane, r, false, COLUMNS).at, g.n - 4u);
        (*seat).tap[r] = column / channels;
        (*seat).channel[r] = column % channels;
    }
}

// Divides where a sample begins; from there positions are counted on.
fn enter_b(seat: ptr<function, SeatB>, lane: u32, first: u32) {
    for (var r = 0u; r < B_ROUNDS; r++) {
        let k = first + item_of(lane, r, false, COLUMNS).k;
        (*seat).position[r] = vec2<u32>(k / g.image.rows.y, k % g.image.rows.y);
    }
}

fn fetch_b(seat: ptr<function, SeatB>, lane: u32, stage: Stage, end: u32) -> FetchedB {
    var fetched: FetchedB;
    let further = vec2<u32>(STEPS / g.image.rows.y, STEPS % g.image.rows.y);
    for (var r = 0u; r < B_ROUNDS; r++) {
        let k = stage.k + item_of(lane, r, false, COLUMNS).k;
        let seen = seen_from((*seat).position[r], (*seat).tap[r]);
        let row = (stage.segment * g.image.source.x + seen.at.x) * g.image.source.y + seen.at.y;
        let inside = seen.inside && k < end;
        fetched[r] = b4(select(0u, row * (g.n / TAPS) + (*seat).channel[r], inside));
        (*seat).inside[r] = inside;
        let next = (*seat).position[r] + further;
        let over = next.y >= g.image.rows.y;
        (*seat).position[r] = select(next, vec2<u32>(next.x + 1u, next.y - g.image.rows.y), over);
    }
    return fetched;
}

fn store_b(seat: ptr<function, SeatB>, fetched: FetchedB, buffer: u32, lane: u32) {
    for (var r = 0u; r < B_ROUNDS; r++) {
        if is_item(lane, r, COLUMNS) {
            let four = select(vec4<f32>(0.0), fetched[r], (*seat).inside[r]);
            put_b(four, buffer, item_of(lane, r, false, COLUMNS));
        }
    }
}
