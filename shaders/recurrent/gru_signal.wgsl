// Back through f = (1 - z) n + z h, n = tanh(a_n + r q_n), of r and z by the sigmoid's input:
//
//     f_r = (1 - z) n' r' q_n      f_rr = (1 - z) (n'' (r' q_n)² + n' r'' q_n)
//     f_z = z' (h - n)             f_zz = z'' (h - n)
//     f_a = (1 - z) n'             f_aa = (1 - z) n''             by a_n; by q_n: r f_a, r² f_aa; by h: z, 0
//
// `own` has come to f from the same unit's step behind; returned is what goes to h.
fn back(place: Place, kept: array<Value, KEPT>, above: Signal, own: Signal) -> Signal {
    let r = kept[0];
    let z = kept[1];
    let n = kept[2];
    let q = kept[3];
    let h = kept[4];
    let s = gather(above, own, Value(1.0));

    let by_n = (1.0 - z) * (1.0 - n * n);
    let by_nn = -2.0 * n * by_n;
    let slope = r * (1.0 - r) * q;
    let by_rr = by_nn * slope * slope + by_n * (1.0 - 2.0 * r) * slope;
    leave_both(place, 0u, through(s, by_n * slope, by_rr));
    let by_z = z * (1.0 - z) * (h - n);
    leave_both(place, 1u, through(s, by_z, (1.0 - 2.0 * z) * by_z));
    leave_a(place, 2u, through(s, by_n, by_nn));
    leave_q(place, 2u, through(s, r * by_n, r * r * by_nn));
    return gather(Signal(), s, z);
}
