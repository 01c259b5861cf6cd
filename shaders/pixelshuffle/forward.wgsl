// z = x in another order, zero in padding channels; one number per invocation. Plug: source.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> z: array<Value2>;

fn each(i: u32) {
    let e = element(i);
    var value = Value(0.0);
    if e.channel < p.channels {
        value = Value(x[source(e)]);
    }
    z[i] = Value2(storable_value(value));
}
