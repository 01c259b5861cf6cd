// B lies along n in storage and in workgroup memory.
var<workgroup> staged_b: array<vec4<f32>, SLICES * BUFFERS * STEPS * COLUMNS / 4u>;

fn put_b(four: vec4<f32>, buffer: u32, item: Item) {
    staged_b[(buffer * STEPS + item.k) * (COLUMNS / 4u) + item.at / 4u] = four;
}

fn get_b(buffer: u32, step: u32, column4: u32) -> vec4<f32> {
    return staged_b[(buffer * STEPS + step) * (COLUMNS / 4u) + column4];
}
