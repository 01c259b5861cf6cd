// B lies along k in storage: four terms of a column go to four places.
var<workgroup> staged_b: array<f32, SLICES * BUFFERS * STEPS * COLUMNS>;

fn put_b(four: vec4<f32>, buffer: u32, item: Item) {
    let at = (buffer * STEPS + item.k) * COLUMNS + item.at;
    staged_b[at] = four.x;
    staged_b[at + COLUMNS] = four.y;
    staged_b[at + 2u * COLUMNS] = four.z;
    staged_b[at + 3u * COLUMNS] = four.w;
}

fn get_b(buffer: u32, step: u32, column4: u32) -> vec4<f32> {
    let at = (buffer * STEPS + step) * COLUMNS + 4u * column4;
    return vec4<f32>(staged_b[at], staged_b[at + 1u], staged_b[at + 2u], staged_b[at + 3u]);
}
