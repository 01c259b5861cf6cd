// Logits and signal lie alike.

fn logit(at: u32, c: u32) -> f32 {
    return logit_at(element(at, c));
}

fn put(plane: u32, at: u32, c: u32, value: f32) {
    signal[plane * p.plane_stride + element(at, c)] = N4(storable(vec4<f32>(value)).x);
}

fn look(plane: u32, at: u32, c: u32) -> f32 {
    return f32(signal[plane * p.plane_stride + element(at, c)]);
}
