// (f'(a), f''(a)) of one value.
fn derivatives_at(a: f32) -> Derivatives {
    let x = act_d(a);
    return Derivatives(x.x, x.y);
}
