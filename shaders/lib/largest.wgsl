// The two largest values of a row; the result does not depend on the order in which the row is visited.

const NO_INDEX: u32 = 0xffffffffu;

// The two largest values of a row and their indices; among equal values the lower index comes first.
struct Top {
    value: vec2<f32>,
    index: vec2<u32>,
}

// Nothing found yet; only values above `floor` will be.
fn top_above(floor: f32) -> Top {
    return Top(vec2<f32>(floor), vec2<u32>(NO_INDEX));
}

fn top_with(top: Top, value: f32, index: u32) -> Top {
    if before(value, index, top.value.x, top.index.x) {
        return Top(vec2<f32>(value, top.value.x), vec2<u32>(index, top.index.x));
    }
    if before(value, index, top.value.y, top.index.y) {
        return Top(vec2<f32>(top.value.x, value), vec2<u32>(top.index.x, index));
    }
    return top;
}

fn before(a: f32, a_index: u32, b: f32, b_index: u32) -> bool {
    return a > b || (a == b && a_index < b_index);
}
