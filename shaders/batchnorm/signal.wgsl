// The signal below z = γ x̂ + β by the statistics of the batch: the rules of norm/signal with c = 1, a channel of the batch for a group
// of n numbers, but that a vector u stays with its sample, whose own sums take the place of the group's:
//
//     g_i = (G_i - ΣG/n - x̂_i ΣG x̂/n) / s      u_i = (U_i - Σ'U/n - x̂_i Σ'U x̂/n) / s, Σ' over the sample
//     h_i = [H_i (1 - 2/n - 2 x̂_i²/n) + (ΣH + 2 x̂_i ΣH x̂ + x̂_i² ΣH x̂²)/n²] / s²
//           - [2 x̂_i g_i + (1 - 1/n - x̂_i²/n)/s · ΣG x̂] / (n s)      Gauss-Newton: without this line
//
// 0 for samples that do not count. One value of channels per invocation. Plug: own, the two sums of u.

@group(0) @binding(3) var<storage, read> x: array<Value3>;
@group(0) @binding(4) var<storage, read> coefficients: array<Value>; // batchnorm/coefficients

fn coefficient(k: u32, v: u32) -> Value {
    return coefficients[k * p.vectors + v];
}

fn each(i: u32) {
    let v = i % p.vectors;
    let sample = i / p.vectors / p.positions;
    var s = Signal();
    if f32(sample) < coefficient(5u, v).x {
        s = through(above_at(i), Value(x[i]), sample, v);
    }
    leave(i, s);
}

fn through(above: Signal, x: Value, sample: u32, v: u32) -> Signal {
    let inverse = coefficient(2u, v);
    let weight = coefficient(3u, v);
    let n = coefficient(4u, v);
    let r = standardized(x, coefficient(0u, v), coefficient(1u, v), inverse);
    var s = gather(Signal(), above, weight);
    let slope = coefficient(7u, v);
    s.g = (s.g - coefficient(6u, v) - r * slope) * inverse;
    if HAS_DIAGONAL {
        let share = (1.0 + r * r) / n;
        let others = coefficient(8u, v) + 2.0 * r * coefficient(9u, v) + r * r * coefficient(10u, v);
        s.h = (s.h * (1.0 - 2.0 * share) + others / n) * (inverse * inverse);
        if F2_TERM {
            s.h -= (2.0 * r * s.g / n + (1.0 - share) * inverse * slope) * inverse;
        }
    }
    for (var k = 0u; k < RANK; k++) {
        let sums = own(sample, k, v);
        s.u[k] = (s.u[k] - weight * (sums[0] + r * sums[1]) / n) * inverse;
    }
    return s;
}
