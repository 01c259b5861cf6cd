// r = s(a_r + q_r)      z = s(a_z + q_z)      n = tanh(a_n + r q_n)      h <- (1 - z) n + z h
//
// s is the sigmoid. Kept are r, z, n, q_n and the h before.
fn next(a: Gates, q: Gates, before: State) -> Next {
    let r = sigmoid(a[0] + q[0]);
    let z = sigmoid(a[1] + q[1]);
    let n = tanh_of(a[2] + r * q[2]);
    var after = Next();
    after.state[0] = (1.0 - z) * n + z * before[0];
    after.kept = array<Value, KEPT>(r, z, n, q[2], before[0]);
    return after;
}
