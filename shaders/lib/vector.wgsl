// Value = vec4<f32>: values are stored in fours, four channels of one position of an image.
alias Value = vec4<f32>;

const WIDTH: u32 = 4u;

fn narrow(v: vec4<f32>) -> Value {
    return v;
}

// Element types of the first three bindings.
alias Value1 = vec4<N1>;
alias Value2 = vec4<N2>;
alias Value3 = vec4<N3>;

fn storable_value(value: Value) -> Value {
    return narrow(storable(vec4<f32>(value)));
}
