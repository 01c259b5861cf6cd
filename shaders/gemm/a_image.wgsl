// A[m, k]: the channels that a tap sees from position m, zeros where it sees nothing. KS is 4.
fn load_a(place: ptr<function, Place>, p: u32, segment: u32, k: u32, m0: u32) -> array<Rows, KS> {
    var a: array<Rows, KS>;
    for (var i = 0u; i < TM; i++) {
        let four = select(vec4<f32>(0.0), a4(a_base(p) + (*place).seen[i] + k), (*place).inside[i]);
        for (var s = 0u; s < KS; s++) {
            a[s][i] = four[s];
        }
    }
    return a;
}
