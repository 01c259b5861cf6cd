// Value = f32: values are stored as scalars.
alias Value = f32;

const WIDTH: u32 = 1u;

fn narrow(v: vec4<f32>) -> Value {
    return v.x;
}

// Element types of the first three bindings.
alias Value1 = N1;
alias Value2 = N2;
alias Value3 = N3;

fn storable_value(value: Value) -> Value {
    return narrow(storable(vec4<f32>(value)));
}
