// B[k, n] stored as [n][segment][k], k contiguous: the weights [out, taps, in] in the forward pass. KS is 4.
fn load_b(place: ptr<function, Place>, segment: u32, k: u32, n0: u32) -> array<Columns, KS> {
    var b: array<Columns, KS>;
    for (var j = 0u; j < V; j++) {
        for (var c = 0u; c < 4u; c++) {
            let column = min(n0 + j * WX * 4u + c, g.n - 1u);
            let four = b4((column * TAPS + segment) * g.k + k);
            for (var s = 0u; s < KS; s++) {
                b[s][j][c] = four[s];
            }
        }
    }
    return b;
}
