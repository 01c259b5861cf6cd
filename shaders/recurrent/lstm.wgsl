// i = s(a_i + q_i)    f = s(a_f + q_f)    g = tanh(a_g + q_g)    o = s(a_o + q_o)    c <- f c + i g    h <- o tanh(c)
//
// s is the sigmoid. Kept are i, f, g, o and the c before.
fn next(a: Gates, q: Gates, before: State) -> Next {
    let i = sigmoid(a[0] + q[0]);
    let f = sigmoid(a[1] + q[1]);
    let g = tanh_of(a[2] + q[2]);
    let o = sigmoid(a[3] + q[3]);
    let c = f * before[1] + i * g;
    var after = Next();
    after.state = State(o * tanh_of(c), c);
    after.kept = array<Value, KEPT>(i, f, g, o, before[1]);
    return after;
}
