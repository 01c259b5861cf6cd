// B is fetched from places that a stage moves by the same distance for all.
struct SeatB {
    offset: array<u32, B_ROUNDS>,
}

fn sit_b(seat: ptr<function, SeatB>, lane: u32, n0: u32) {
    for (var r = 0u; r < B_ROUNDS; r++) {
        let item = item_of(lane, r, B_ALONG_K, COLUMNS);
        (*seat).offset[r] = b_offset(n0 + item.at, item.k);
    }
}

fn enter_b(seat: ptr<function, SeatB>, lane: u32, k: u32) {}

fn fetch_b(seat: ptr<function, SeatB>, lane: u32, stage: Stage, end: u32) -> FetchedB {
    var fetched: FetchedB;
    let pace = b_pace(stage.segment, stage.k);
    for (var r = 0u; r < B_ROUNDS; r++) {
        let k = stage.k + item_of(lane, r, B_ALONG_K, COLUMNS).k;
        fetched[r] = b4(select(0u, (*seat).offset[r] + pace, k < end));
    }
    return fetched;
}

fn store_b(seat: ptr<function, SeatB>, fetched: FetchedB, buffer: u32, lane: u32) {
    for (var r = 0u; r < B_ROUNDS; r++) {
        if is_item(lane, r, COLUMNS) {
            put_b(fetched[r], buffer, item_of(lane, r, B_ALONG_K, COLUMNS));
        }
    }
}
