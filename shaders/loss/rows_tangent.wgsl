// Logits [z, ż] of a sample, z first; a row is one of z. The signal lies as they do: at z the Hessian's product with ż, at ż the
// gradient by z. Plug: logit_at.

// Where element i of z lies, and how far behind it that of ż.
fn among_both(i: u32) -> u32 {
    return i + i / behind() * behind();
}

fn behind() -> u32 {
    return p.outputs * p.positions;
}

fn logit(at: u32, c: u32) -> f32 {
    return logit_at(among_both(element(at, c)));
}

// ż
fn along(at: u32, c: u32) -> f32 {
    return logit_at(among_both(element(at, c)) + behind());
}

fn put_both(at: u32, c: u32, product: f32, gradient: f32) {
    let i = among_both(element(at, c));
    signal[i] = N4(storable(vec4<f32>(product)).x);
    signal[i + behind()] = N4(storable(vec4<f32>(gradient)).x);
}
