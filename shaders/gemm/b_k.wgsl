// B[k, n] stored as [n][k], k contiguous: the weights [out, in] in the forward pass. KS is 4.
fn load_b(k: u32, n0: u32) -> array<Columns, KS> {
    var b: array<Columns, KS>;
    for (var j = 0u; j < V; j++) {
        for (var c = 0u; c < 4u; c++) {
            let column = min(n0 + j * WX * 4u + c, g.n - 1u);
            let four = b4(column * g.k + k);
            for (var s = 0u; s < KS; s++) {
                b[s][j][c] = four[s];
            }
        }
    }
    return b;
}
