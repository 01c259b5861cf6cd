// A[m, k] stored row by row, k contiguous: input rows of the forward pass, a signal's rows. KS is 4.
fn load_a(place: ptr<function, Place>, p: u32, segment: u32, k: u32, m0: u32) -> array<Rows, KS> {
    var a: array<Rows, KS>;
    for (var i = 0u; i < TM; i++) {
        let row = min(m0 + i, g.m - 1u);
        let four = a4_guarded(a_base(p) + row * g.k + k, g.k - k);
        for (var s = 0u; s < KS; s++) {
            a[s][i] = four[s];
        }
    }
    return a;
}
