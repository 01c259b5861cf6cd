// B[k, n] stored as [k][segment][n], n contiguous: the weights [out, taps, in] on the signal's way down, the input for the
// parameters.
fn load_b(place: ptr<function, Place>, segment: u32, k: u32, n0: u32) -> array<Columns, KS> {
    var b: array<Columns, KS>;
    for (var s = 0u; s < KS; s++) {
        let row = min(k + s, g.k - 1u); // past the end A is zero
        for (var j = 0u; j < V; j++) {
            let column = min(n0 + j * WX * 4u, (g.n - 1u) / 4u * 4u);
            b[s][j] = b4((row * TAPS + segment) * g.n + column);
        }
    }
    return b;
}
