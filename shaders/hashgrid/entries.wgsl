// An entry of the sums is a corner of a cell: of sample n and level l corner c is number (n L + l) C + c.
fn entry_row(i: u32) -> u32 {
    let at = divide(i / CORNERS, p.levels); // point, level
    return corner_row(at.x, at.y, i % CORNERS);
}
