// Numbers lie in fours: four channels of one position of an image.
alias Value = vec4<f32>;

const WIDTH: u32 = 4u;

fn narrow(v: vec4<f32>) -> Value {
    return v;
}
