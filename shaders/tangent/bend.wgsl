// slope = f''(a) ȧ: of ż = f'(a) ȧ by a. Plug: derivatives_at.
@group(0) @binding(3) var<storage, read> a: array<Value3>;
@group(0) @binding(4) var<storage, read> along: array<Along>;

fn slope(i: u32) -> Value {
    return derivatives_at(Value(a[i])).second * Value(along[i]);
}
