// B[k, n]: the channels that tap and channel n see from position k, zeros where they see nothing. KS is 1.
fn load_b(place: ptr<function, Place>, segment: u32, k: u32, n0: u32) -> array<Columns, KS> {
    var b: array<Columns, KS>;
    let area = g.image.source.x * g.image.source.y;
    for (var j = 0u; j < V; j++) {
        let seen = seen_from((*place).position, (*place).tap[j]);
        let row = segment * area + seen.at.x * g.image.source.y + seen.at.y;
        let index = row * (g.n / TAPS) + (*place).channel[j];
        b[0][j] = select(vec4<f32>(0.0), b4(select(0u, index, seen.inside)), seen.inside);
    }
    (*place).position.y += 1u;
    if (*place).position.y == g.image.rows.y {
        (*place).position = vec2<u32>((*place).position.x + 1u, 0u);
    }
    return b;
}
