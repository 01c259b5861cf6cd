// Numbers lie one by one.
alias Value = f32;

const WIDTH: u32 = 1u;

fn narrow(v: vec4<f32>) -> Value {
    return v.x;
}
