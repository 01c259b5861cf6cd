// θ ← updated(θ, g, d), directly after the gradient, four parameters per invocation at a time. Plugs: updated, count_once.
fn update(lane: u32) {
    if lane == 0u {
        count_once();
    }
    storageBarrier();
    take_hyper();
    let vectors = g.flat / 4u;
    for (var i = lane; i < vectors; i += INVOCATIONS) {
        let four_g = vec4<f32>(gradient[4u * i], gradient[4u * i + 1u], gradient[4u * i + 2u], gradient[4u * i + 3u]);
        parameters[i] = updated(Fours(i, vectors, four_g, diagonal_at(i)), parameters[i]);
    }
}
