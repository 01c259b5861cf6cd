// signal[y] = signal above[y + before]: the part inside the padding, then through the activation below (signal/leave); one vec4 per
// invocation.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let i = (group.y * p.grid_x + group.x) * LANES + lane.x;
    if i < p.n {
        let pixel = divide(i, p.vectors);
        let row = divide(pixel.x, p.image.y);
        let sample = divide(row.x, p.image.x);
        let place = vec2<u32>(sample.y, row.y) + p.before;
        let source = (sample.x * p.padded.x + place.x) * p.padded.y + place.y;
        leave(i, above_at(source * p.vectors + pixel.y));
    }
}
