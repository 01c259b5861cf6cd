// Adds to gradient and diagonal of a table what the entries of each row come to. An entry i takes its row times f_i to an output
// o_i:
//
//     gradient[r] += Σ_n Σ_o F g_o        diagonal[r] += Σ_n [Σ_o F² h_o + Σ_j (Σ_o F u_jo)²]
//
// with F the sum of f over the entries of sample n that take row r to output o. They stand side by side among pairs sorted by row,
// then by entry. An invocation has CHUNK pairs: the samples that begin there, to their ends. Of a row that began before it leaves
// sums to be carried (row_sums/carry). Results are scaled. Plugs: output_of, factor_of.
@group(0) @binding(CARRIED_BINDING) var<storage, read_write> carried: array<Value>;

// What the pairs of one row and sample come to, from pair k on.
struct Part {
    g: Value,
    d: Value,
    next: u32,
}

fn part_from(k: u32, which: vec2<u32>, v: u32) -> Part {
    var s = Signal();
    var next = k;
    while all(of_pair(next) == which) {
        let output = output_of(sorted[next].y, v);
        var factor = 0.0;
        while all(of_pair(next) == which) && (output_of(sorted[next].y, v) == output) {
            factor += factor_of(sorted[next].y);
            next += 1u;
        }
        s = gather(s, above_at(output), Value(factor));
    }
    var d = s.h;
    for (var r = 0u; r < RANK; r++) {
        d += s.u[r] * s.u[r];
    }
    return Part(s.g, d, next);
}

fn each(i: u32) {
    let at = divide(i, p.values); // chunk, value of a row
    let first = at.x * CHUNK;
    let end = min(first + CHUNK, p.entries);
    var before = vec2<u32>(p.rows, p.entries); // row and sample of the pair before k
    if first > 0u {
        before = of_pair(first - 1u);
    }
    var k = first;
    while (k < end) && all(of_pair(k) == before) {
        k += 1u;
    }
    var g = Value();
    var d = Value();
    var row = before.x;
    var carries = true; // the sums are of a row that began before
    while (k < end) && (of_pair(k).x < p.rows) {
        let which = of_pair(k);
        if which.x != row {
            if carries {
                leave_carried(i, g, d);
            } else {
                add(row, at.y, g, d);
            }
            row = which.x;
            carries = false;
            g = Value();
            d = Value();
        }
        let part = part_from(k, which, at.y);
        g += part.g;
        d += part.d;
        k = part.next;
    }
    if carries {
        leave_carried(i, g, d);
    } else {
        add(row, at.y, g, d);
    }
}

fn leave_carried(i: u32, g: Value, d: Value) {
    let values = (p.entries + CHUNK - 1u) / CHUNK * p.values;
    carried[i] = g;
    if HAS_DIAGONAL {
        carried[values + i] = d;
    }
}
