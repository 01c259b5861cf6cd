// slope = f'(a): of ż = f'(a) ȧ by ȧ. Plug: derivatives_at.
@group(0) @binding(3) var<storage, read> a: array<Value3>;

fn slope(i: u32) -> Value {
    return derivatives_at(Value(a[i])).first;
}
