// derivatives(i) = (f'(a_i), f''(a_i)) of the activation below. `a` is its input, or its output if that determines the derivatives
// (relu, leaky_relu).
@group(0) @binding(A_BINDING) var<storage, read> a: array<A>;

fn derivatives(i: u32) -> Derivatives {
    return derivatives_at(Value(a[i]));
}
