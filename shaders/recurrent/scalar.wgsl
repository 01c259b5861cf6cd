// The gates' functions of one value. NaN stays.
fn sigmoid(v: Value) -> Value {
    return hs_with_nan_of(v, hs_sigmoid(v));
}

fn tanh_of(v: Value) -> Value {
    return hs_with_nan_of(v, hs_tanh(v));
}
