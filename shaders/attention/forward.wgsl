// z_i = Σ_j p_ij v_j in each head, one Value per invocation; 0 in padding channels.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> z: array<Value2>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;

fn each(index: u32) {
    let place = divide(index, p.stride_out);
    let query = divide(place.x, p.positions);
    let head = divide(place.y, p.width);
    var sum = Value(0.0);
    if head.x < p.heads {
        let row = row_at(query.x, head.x, query.y);
        let seen = seen_by(query.y);
        for (var start = 0u; start < seen; start += CHAIN) {
            var part = Value(0.0);
            for (var j = start; j < min(start + CHAIN, seen); j++) {
                part += weights[row + j] * Value(x[input_at(V, query.x, head.x, j) + head.y]);
            }
            sum += part;
        }
    }
    z[index] = Value2(storable_value(sum));
}
