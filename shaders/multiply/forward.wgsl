// z = x y, one value per invocation.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read> y: array<Value2>;
@group(0) @binding(3) var<storage, read_write> z: array<Value3>;

fn each(i: u32) {
    z[i] = Value3(storable_value(Value(x[i]) * Value(y[i])));
}
