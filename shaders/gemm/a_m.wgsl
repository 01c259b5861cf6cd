// A[m, k] stored as [segment][k][m], m contiguous: a signal as the parameters see it. TM is a multiple of 4, KS is 1.
fn load_a(place: ptr<function, Place>, p: u32, segment: u32, k: u32, m0: u32) -> array<Rows, KS> {
    var a: array<Rows, KS>;
    for (var i = 0u; i < TM; i += 4u) {
        let column = min(m0 + i, (g.m - 1u) / 4u * 4u);
        let four = a4(a_base(p) + (segment * g.k + k) * g.m + column);
        a[0][i] = four.x;
        a[0][i + 1u] = four.y;
        a[0][i + 2u] = four.z;
        a[0][i + 3u] = four.w;
    }
    return a;
}
