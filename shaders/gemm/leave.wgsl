// Gradient and diagonal are left in memory: scaled by g.scale, and added to what is there where ACCUMULATE says so.

// A row must not be added twice.
const ONCE: bool = RAGGED && ACCUMULATE;

fn prepare() {}

// The first `valid` of four parameters from `index` on.
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
