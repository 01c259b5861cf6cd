// The index in a packed array of element (i, j, t) of a weight [first, second, taps]:
//
//     i · first + j · second + t · tap + (i / per_group) · group
//
// The bias follows from index `bias` on, in order.

struct Packing {
    elements: u32,
    size: u32, // of the second dimension
    taps: u32,
    first: u32,
    second: u32,
    tap: u32,
    per_group: u32,
    group: u32,
    bias: u32,
    biases: u32,
    unused0: u32,
    unused1: u32,
}

fn packed_index(p: Packing, e: u32) -> u32 {
    if e >= p.elements {
        return p.bias + (e - p.elements);
    }
    let i = e / (p.size * p.taps);
    let j = e / p.taps % p.size;
    return i * p.first + j * p.second + e % p.taps * p.tap + i / p.per_group * p.group;
}

// The element that is the x-th in the order of the packed array, gaps left out: neighbours lie side by side there.
fn in_packed_order(p: Packing, x: u32) -> u32 {
    if x >= p.elements {
        return x;
    }
    let firsts = p.elements / (p.size * p.taps);
    var i = x / (p.size * p.taps);
    var j = x % p.size;
    var t = x / p.size % p.taps;
    if p.first == 1u {
        i = x % firsts;
        j = x / firsts % p.size;
        t = x / (firsts * p.size);
    }
    return (i * p.size + j) * p.taps + t;
}
