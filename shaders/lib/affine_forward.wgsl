// z_i = s_i x_i + t_i, one value per invocation. Plug: affine.

@group(0) @binding(1) var<storage, read> x: array<Value1>;
@group(0) @binding(2) var<storage, read_write> z: array<Value2>;

fn each(i: u32) {
    z[i] = Value2(storable_value(affine(i, Value(x[i]))));
}
