// Adds what rows that go on past the end of a chunk have left to be carried (row_sums/sums): an invocation has the row that begins
// in its chunk and does not end there.
@group(0) @binding(1) var<storage, read> carried: array<Value>;

fn each(i: u32) {
    let at = divide(i, p.values); // chunk, value of a row
    let first = at.x * CHUNK;
    var next = first + CHUNK;
    let row = of_pair(next - 1u).x;
    var here = of_pair(next).x == row;
    if first > 0u {
        here = here && (of_pair(first - 1u).x != row);
    }
    if !here || (row == p.rows) {
        return;
    }
    let values = (p.entries + CHUNK - 1u) / CHUNK * p.values;
    var g = Value();
    var d = Value();
    while of_pair(next).x == row {
        let behind = next / CHUNK * p.values + at.y;
        g += carried[behind];
        if HAS_DIAGONAL {
            d += carried[values + behind];
        }
        next += CHUNK;
    }
    add(row, at.y, g, d);
}
