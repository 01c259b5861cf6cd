// clip(g)², of what is trained
fn take_hyper() {
    limits = read_limits();
}

var<private> limits: Limits;

fn term_of(i: u32) -> f32 {
    let g = select(vec4<f32>(0.0), clip(gradient[i], limits.gradient), trained(i, p.vectors));
    return dot(g, g);
}
