// signal[y] = signal above[y + before]: the part inside the padding, then through the activation below (signal/leave); one vec4 per
// invocation.

fn each(i: u32) {
    let pixel = divide(i, p.vectors);
    let row = divide(pixel.x, p.image.y);
    let sample = divide(row.x, p.image.x);
    let place = vec2<u32>(sample.y, row.y) + p.before;
    let source = (sample.x * p.padded.x + place.x) * p.padded.y + place.y;
    leave(i, above_at(source * p.vectors + pixel.y));
}
