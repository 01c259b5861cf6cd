// z[c r² + a r + b, y, x] = x[c, r y + a, r x + b]: the number that e of the smaller image is.
fn source(e: Element) -> u32 {
    let column = divide(e.channel, p.factor);
    let row = divide(column.x, p.factor);
    return index_at(e.sample, e.place * p.factor + vec2<u32>(row.y, column.y), row.x);
}
