// z[c, r y + a, r x + b] = x[c r² + a r + b, y, x]: the number that e of the larger image is.
fn source(e: Element) -> u32 {
    let row = divide(e.place.x, p.factor);
    let column = divide(e.place.y, p.factor);
    let channel = (e.channel * p.factor + row.y) * p.factor + column.y;
    return index_at(e.sample, vec2<u32>(row.x, column.x), channel);
}
