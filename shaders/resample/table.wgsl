// Two matrices without their zeros, for rows and for columns. Words: where each of the first matrix's rows begins, and an end; the
// same of the second; then of each number its place in its row, and itself.
@group(0) @binding(3) var<storage, read> table: array<u32>;

// Where the numbers of row `place.x` of the first matrix begin and of row `place.y` of the second, and how many there are of each.
struct Numbers {
    begin: vec2<u32>,
    count: vec2<u32>,
}

fn numbers_of(place: vec2<u32>) -> Numbers {
    let head = vec2<u32>(place.x, p.to.x + 1u + place.y);
    let begin = vec2<u32>(table[head.x], table[head.y]);
    let end = vec2<u32>(table[head.x + 1u], table[head.y + 1u]);
    return Numbers(begin, (end - begin) / 2u);
}

// The place of a pair of numbers, one of each matrix.
fn place_of(numbers: Numbers, pair: vec2<u32>) -> vec2<u32> {
    let at = numbers.begin + 2u * pair;
    return vec2<u32>(table[at.x], table[at.y]);
}

// Their product.
fn weight_of(numbers: Numbers, pair: vec2<u32>) -> f32 {
    let at = numbers.begin + 2u * pair + 1u;
    return bitcast<f32>(table[at.x]) * bitcast<f32>(table[at.y]);
}
