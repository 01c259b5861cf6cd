// ż = f'(a) ȧ, one value per invocation. Plug: derivatives_at.

@group(0) @binding(1) var<storage, read> along: array<Value1>;
@group(0) @binding(2) var<storage, read> a: array<Value2>;
@group(0) @binding(3) var<storage, read_write> z: array<Value3>;

fn each(i: u32) {
    z[i] = Value3(storable_value(derivatives_at(Value(a[i])).first * Value(along[i])));
}
