// The largest utility of what is trained, on a step without curvature.
fn term_of(i: u32) -> f32 {
    let u = select(vec4<f32>(0.0), first_moment(i), trained(i, p.vectors));
    return max(max(u.x, u.y), max(u.z, u.w));
}
