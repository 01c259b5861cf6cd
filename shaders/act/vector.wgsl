// (f'(a), f''(a)) of four values.
fn derivatives_at(a: vec4<f32>) -> Derivatives {
    let x = act_d(a.x);
    let y = act_d(a.y);
    let z = act_d(a.z);
    let w = act_d(a.w);
    return Derivatives(vec4<f32>(x.x, y.x, z.x, w.x), vec4<f32>(x.y, y.y, z.y, w.y));
}
