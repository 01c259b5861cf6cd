// d u², u = r η clip(step), of what is trained; the moments move. Plugs: limited_step (limited), divisor_at (divisor_root |
// divisor | divisor_sophia), diagonal_at.
fn term_of(i: u32) -> f32 {
    let block = block_of(i, p.vectors);
    if block.trained == 0.0 {
        return 0.0;
    }
    let step = limited_step(Fours(i, p.vectors, gradient[i], diagonal_at(i)));
    let u = select(vec4<f32>(0.0), block.rate * hyper.learning_rate * step, trained(i, p.vectors));
    return dot(divisor_at(i, p.vectors) * u, u);
}
