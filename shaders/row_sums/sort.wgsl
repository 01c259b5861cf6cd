// Pairs of row and entry, each BLOCK neighbours sorted by row, equal rows by entry: an invocation counts what goes before its own.
// Plug: entry_row.
@group(0) @binding(2) var<storage, read_write> sorted: array<vec2<u32>>;

fn each(i: u32) {
    let first = i / BLOCK * BLOCK;
    let row = entry_row(i);
    var before = 0u;
    for (var j = first; j < min(first + BLOCK, p.entries); j++) {
        let other = entry_row(j);
        let earlier = (other == row) && (j < i);
        before += select(0u, 1u, (other < row) || earlier);
    }
    sorted[first + before] = vec2<u32>(row, i);
}
