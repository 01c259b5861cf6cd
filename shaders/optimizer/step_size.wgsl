// r Σ |x|, r the factor of the block's learning rate, of what is trained; the moments move. Plugs: bounded (obgd | obgd_adaptive),
// diagonal_at.
fn term_of(i: u32) -> f32 {
    let block = block_of(i, p.vectors);
    if block.trained == 0.0 {
        return 0.0;
    }
    let g = limits.gradient_factor * clip(gradient[i], limits.gradient);
    let x = abs(bounded(Fours(i, p.vectors, g, diagonal_at(i))));
    return block.rate * dot(select(vec4<f32>(0.0), x, trained(i, p.vectors)), vec4<f32>(1.0));
}
