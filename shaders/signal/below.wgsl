// (f'(a), f''(a)) of the activation below. `a` is its input, or its output if that determines the derivatives (relu, leaky_relu).
@group(0) @binding(A_BINDING) var<storage, read> a: array<A>;

fn derivatives(i: u32) -> Derivatives {
    let at = vec4<f32>(Value(a[i]));
    let x = act_d(at.x);
    let y = act_d(at.y);
    let z = act_d(at.z);
    let w = act_d(at.w);
    return Derivatives(narrow(vec4<f32>(x.x, y.x, z.x, w.x)), narrow(vec4<f32>(x.y, y.y, z.y, w.y)));
}
