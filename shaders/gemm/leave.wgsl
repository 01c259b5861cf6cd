// gradient = scale · Σ g b      diagonal = scale · Σ d b²      stored, or added to the stored values if ACCUMULATE

// A row must not be added twice.
const ONCE: bool = RAGGED && ACCUMULATE;

fn prepare() {}

// Stores the first `valid` of four parameters from `index` on.
fn store(index: u32, sums: Sums, valid: u32) {
    var gradient = g.scale * sums[0];
    if ACCUMULATE {
        gradient += read_out(index);
    }
    write_out(index, gradient, valid);
    if P > 1u {
        var diagonal = g.scale * sums[D];
        if ACCUMULATE {
            diagonal += read_diagonal(index);
        }
        write_diagonal(index, diagonal, valid);
    }
}
