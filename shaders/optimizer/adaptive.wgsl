// m ← β₁ m + (1-β₁) g;  v ← β₂ v + (1-β₂) q;  step = m̂ / (√v̂ + ε), m̂ and v̂ corrected for their bias
// Plug: second_moment (squared_gradient | squared_diagonal | no_update).

@group(0) @binding(6) var<storage, read_write> second: array<vec4<f32>>;
@group(0) @binding(7) var<uniform> counters: Counters;

fn step_of(i: u32, g: vec4<f32>, d: vec4<f32>) -> vec4<f32> {
    let m = hyper.beta1 * first[i] + (1.0 - hyper.beta1) * g;
    first[i] = m;
    let v = second_moment(i, g, d);
    let taken = counters.m_scale * m / (sqrt(counters.v_scale * v) + hyper.eps);
    return taken * select(0.0, 1.0, counters.v_scale > 0.0);
}
