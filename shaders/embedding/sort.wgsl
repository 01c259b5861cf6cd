// Pairs of row and position, each BLOCK neighbours of a part sorted by row, equal rows by position: an invocation counts what goes
// before its own.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sorted: array<vec2<u32>>;

fn each(i: u32) {
    let part = i / p.part * p.part;
    let first = part + (i - part) / BLOCK * BLOCK;
    let end = min(min(first + BLOCK, part + p.part), p.all);
    let row = row_of(x[i]);
    var before = 0u;
    for (var j = first; j < end; j++) {
        let other = row_of(x[j]);
        let earlier = (other == row) && (j < i);
        before += select(0u, 1u, (other < row) || earlier);
    }
    sorted[first + before] = vec2<u32>(row, i);
}
