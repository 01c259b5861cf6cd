// The factor b of a depthwise convolution's entries: for tap t, b = x[q·stride + t·dilation - before]; for the bias, the last
// entry, b = 1.
@group(0) @binding(3) var<storage, read> x: array<Value3>;

// The tap as (row, column). The bias gets row KH, one past the last.
fn part_of(entry: u32) -> vec2<u32> {
    return vec2<u32>(entry / p.kernel.y, entry % p.kernel.y);
}

fn factor(tap: vec2<u32>, n: u32, q: vec2<u32>, v: u32) -> Value {
    if tap.x == p.kernel.x {
        return Value(1.0);
    }
    // Above and left of the image this wraps around to a large value.
    let place = q * p.stride + tap * p.dilation - p.before;
    if all(place < p.image) {
        return Value(x[((n * p.image.x + place.x) * p.image.y + place.y) * p.vectors + v]);
    }
    return Value(0.0);
}
