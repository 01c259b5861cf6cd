// Back through h = o tanh(c'), c' = f c + i g, of i, f and o by the sigmoid's input, of g by that of tanh:
//
//     h_o = o' tanh(c')    h_oo = o'' tanh(c')    h_c' = o tanh'(c')    h_c'c' = o tanh''(c')
//     c'_i = i' g    c'_ii = i'' g        c'_f = f' c    c'_ff = f'' c        c'_g = i g'    c'_gg = i g''        c'_c = f
//
// `own` has come to c' from the same unit's step behind; returned is what goes to c.
fn back(place: Place, kept: array<Value, KEPT>, above: Signal, own: Signal) -> Signal {
    let i = kept[0];
    let f = kept[1];
    let g = kept[2];
    let o = kept[3];
    let c = kept[4];

    let t = tanh_of(f * c + i * g);
    let t1 = o * (1.0 - t * t);
    let at_c = gather(own, through(above, t1, -2.0 * t * t1), Value(1.0));
    let i1 = i * (1.0 - i) * g;
    leave_both(place, 0u, through(at_c, i1, (1.0 - 2.0 * i) * i1));
    let f1 = f * (1.0 - f) * c;
    leave_both(place, 1u, through(at_c, f1, (1.0 - 2.0 * f) * f1));
    let g1 = i * (1.0 - g * g);
    leave_both(place, 2u, through(at_c, g1, -2.0 * g * g1));
    let o1 = o * (1.0 - o) * t;
    leave_both(place, 3u, through(above, o1, (1.0 - 2.0 * o) * o1));
    return gather(Signal(), at_c, f);
}
