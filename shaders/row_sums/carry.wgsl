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
    // 64 at a time: a single chain of f32 sums would lose digits.
    while of_pair(next).x == row {
        var some_g = Value();
        var some_d = Value();
        for (var k = 0u; k < 64u && of_pair(next).x == row; k++) {
            let behind = next / CHUNK * p.values + at.y;
            some_g += carried[behind];
            if HAS_DIAGONAL {
                some_d += carried[values + behind];
            }
            next += CHUNK;
        }
        g += some_g;
        d += some_d;
    }
    add(row, at.y, g, d);
}
