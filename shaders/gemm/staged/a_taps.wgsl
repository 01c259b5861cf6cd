// A is fetched from where a tap of the kernel reads an image, and is zero outside it.
alias SeatA = Place;

fn sit_a(seat: ptr<function, SeatA>, lane: u32, m0: u32) {
    for (var r = 0u; r < A_ROUNDS; r++) {
        visit(seat, r, m0 + item_of(lane, r, true, ROWS).at);
    }
}

fn enter_a(seat: ptr<function, SeatA>, segment: u32) {
    _ = enter(seat, segment, A_ROUNDS);
}

fn fetch_a(seat: ptr<function, SeatA>, lane: u32, stage: Stage, end: u32) -> FetchedA {
    var fetched: FetchedA;
    for (var r = 0u; r < A_ROUNDS; r++) {
        let k = stage.k + item_of(lane, r, true, ROWS).k;
        let index = select(0u, (*seat).seen[r] + k, k < end);
        for (var p = 0u; p < P; p++) {
            fetched[r][p] = a4(a_base(p) + index);
        }
    }
    return fetched;
}

fn store_a(seat: ptr<function, SeatA>, fetched: FetchedA, buffer: u32, lane: u32, stage: Stage, end: u32) {
    for (var r = 0u; r < A_ROUNDS; r++) {
        let item = item_of(lane, r, true, ROWS);
        if is_item(lane, r, ROWS) {
            let inside = (*seat).inside[r] && stage.k + item.k < end;
            for (var p = 0u; p < P; p++) {
                put_a(select(vec4<f32>(0.0), fetched[r][p], inside), p, buffer, item);
            }
        }
    }
}
