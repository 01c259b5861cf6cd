// The gates' functions of four values. NaN stays.
fn sigmoid(v: Value) -> Value {
    var s = Value();
    for (var k = 0u; k < 4u; k++) {
        s[k] = hs_with_nan_of(v[k], hs_sigmoid(v[k]));
    }
    return s;
}

fn tanh_of(v: Value) -> Value {
    var t = Value();
    for (var k = 0u; k < 4u; k++) {
        t[k] = hs_with_nan_of(v[k], hs_tanh(v[k]));
    }
    return t;
}
