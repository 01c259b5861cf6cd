// corner_of(tile, lane) = the first row and column of what an invocation finishes: here, of the sums that it has made itself.
fn corner_of(tile: u32, lane: vec2<u32>) -> vec2<u32> {
    let m = (tile / g.tiles_n * WY + lane.y) * TM;
    let n = (tile % g.tiles_n * WX * V + lane.x) * 4u;
    return vec2<u32>(m, n);
}
