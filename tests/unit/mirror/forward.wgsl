
// z_i = c_i x_{n-1-i}

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> z: array<Value2>;

fn each(i: u32) {
    z[i] = Value2(storable_value(factor(i) * Value(x[source_of(i)])));
}
