// A is fetched from places that a stage moves by the same distance for all.
struct SeatA {
    offset: array<u32, A_ROUNDS>,
}

fn sit_a(seat: ptr<function, SeatA>, lane: u32, m0: u32) {
    for (var r = 0u; r < A_ROUNDS; r++) {
        let item = item_of(lane, r, A_ALONG_K, ROWS);
        (*seat).offset[r] = a_offset(m0 + item.at, item.k);
    }
}

fn enter_a(seat: ptr<function, SeatA>, segment: u32) {}

fn fetch_a(seat: ptr<function, SeatA>, lane: u32, stage: Stage, end: u32) -> FetchedA {
    var fetched: FetchedA;
    let pace = a_pace(stage.segment, stage.k);
    for (var r = 0u; r < A_ROUNDS; r++) {
        let k = stage.k + item_of(lane, r, A_ALONG_K, ROWS).k;
        let index = select(0u, (*seat).offset[r] + pace, k < end);
        for (var p = 0u; p < P; p++) {
            fetched[r][p] = a_read(p, index, k);
        }
    }
    return fetched;
}

fn store_a(seat: ptr<function, SeatA>, fetched: FetchedA, buffer: u32, lane: u32, stage: Stage, end: u32) {
    for (var r = 0u; r < A_ROUNDS; r++) {
        let item = item_of(lane, r, A_ALONG_K, ROWS);
        if is_item(lane, r, ROWS) {
            for (var p = 0u; p < P; p++) {
                put_a(select(vec4<f32>(0.0), fetched[r][p], stage.k + item.k < end), p, buffer, item);
            }
        }
    }
}
