// corner_of(tile, lane) = the first row and column of what an invocation finishes: here, of the sums that it has made itself. Those
// of the second slice of k and beyond finish nothing, for theirs have been added to the first's.
fn corner_of(tile: u32, lane: vec2<u32>) -> vec2<u32> {
    let m = (tile / g.tiles_n * WY + lane.y % WY) * TM;
    let n = (tile % g.tiles_n * WX * V + lane.x) * 4u;
    return vec2<u32>(select(m, g.m, SLICES > 1u && lane.y >= WY), n);
}
