// z[c K + k, q] = f_k(x[c, q]), one number per invocation. Plug: encoded.
@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> z: array<Value2>;

fn each(i: u32) {
    let at = divide(i, p.positions); // channel of z through all samples, position
    let source = divide(at.x, p.numbers); // channel of x, k
    z[i] = Value2(storable_value(encoded(Value(x[source.x * p.positions + at.y]), source.y).x));
}
