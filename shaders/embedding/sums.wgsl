// Gradient and diagonal of a table over the positions q of each sample n that select row r:
//
//     gradient[r, c] = Σ_n Σ_q g        diagonal[r, c] = Σ_n [Σ_q h + Σ_j (Σ_q u_j)²]
//
// Four numbers of a row per invocation, which finds its positions side by side among sorted pairs of row and position. Results are
// scaled, and added to what is there if ACCUMULATE.
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(SORTED_BINDING) var<storage, read> sorted: array<vec2<u32>>;

// The first pair of this row or one behind it.
fn first_of(row: u32) -> u32 {
    var low = p.first;
    var high = p.end;
    while low < high {
        let middle = (low + high) / 2u;
        if sorted[middle].x < row {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

// The sample of pair k, if it is of this row; else the number of all positions, which no sample has.
fn sample_of(k: u32, row: u32) -> u32 {
    if k < p.end {
        let pair = sorted[k];
        if pair.x == row {
            return pair.y / p.positions;
        }
    }
    return p.all;
}

fn each(i: u32) {
    let at = divide(i, p.vectors); // row, vec4 of numbers
    var g = Value();
    var d = Value();
    var k = first_of(at.x);
    var n = sample_of(k, at.x);
    while n < p.all {
        let sample = n;
        var s = Signal();
        while n == sample {
            s = gather(s, above_at(sorted[k].y * p.vectors + at.y), Value(1.0));
            k += 1u;
            n = sample_of(k, at.x);
        }
        g += s.g;
        d += s.h;
        for (var r = 0u; r < RANK; r++) {
            d += s.u[r] * s.u[r];
        }
    }
    for (var lane = 0u; lane < 4u; lane++) {
        let c = 4u * at.y + lane;
        if c < p.width {
            let out = at.x * p.width + c;
            if ACCUMULATE {
                gradient[out] += p.scale * g[lane];
            } else {
                gradient[out] = p.scale * g[lane];
            }
            write_diagonal(out, p.scale * d[lane]);
        }
    }
}
