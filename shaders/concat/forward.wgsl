// z = (x, y) at each position, zero in padding channels; one value per invocation.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read> y: array<Value2>;
@group(0) @binding(3) var<storage, read_write> z: array<Value3>;

fn each(i: u32) {
    let at = divide(i, p.stride_z);
    var value = Value(0.0);
    if at.y < p.count_x {
        value = Value(x[at.x * p.stride_x + at.y]);
    } else if at.y < p.count_x + p.count_y {
        value = Value(y[at.x * p.stride_y + at.y - p.count_x]);
    }
    z[i] = Value3(storable_value(value));
}
