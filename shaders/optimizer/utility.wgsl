// U ← β U + (1-β) (½ h θ² - g θ): the largest of what is trained. Plug: diagonal_at.
@group(0) @binding(5) var<storage, read> parameters: array<vec4<f32>>;

fn term_of(i: u32) -> f32 {
    let block = block_of(i, p.vectors);
    if block.trained == 0.0 {
        return 0.0;
    }
    let theta = parameters[i];
    let g = limits.gradient_factor * clip(gradient[i], limits.gradient);
    let next = theta * (0.5 * diagonal_at(i) * theta - g);
    let utility = hyper.beta1 * first_moment(i) + (1.0 - hyper.beta1) * next;
    set_first_moment(i, utility);
    // One that is infinite leaves its parameter finite, so it is reported here.
    tell_of(utility);
    return largest_of(select(vec4<f32>(0.0), utility, trained(i, p.vectors)));
}

fn largest_of(x: vec4<f32>) -> f32 {
    return max(max(x.x, x.y), max(x.z, x.w));
}
