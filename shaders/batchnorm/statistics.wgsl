// (m, d, 1/√(var + ε), var n/(n - 1)) of each channel of the batch, mean = m + d, from those of its splits (batchnorm/moments):
//
//     mean = Σ n_s mean_s / n      n var = Σ [squares_s + n_s (mean_s - mean)²]
//
// all means as distances from the first split's m. One value of channels per invocation. Plug: samples.

@group(0) @binding(1) var<storage, read> moments: array<Value>;
@group(0) @binding(2) var<storage, read_write> statistics: array<Value>;

fn each(v: u32) {
    let n = f32(max(rows(), 1u));
    let m = moments[v];
    var d = Value(0.0);
    for (var s = 0u; s < p.splits; s++) {
        d += count_of(s) * distance_of(s, v, m);
    }
    d /= n;
    var squares = Value(0.0);
    for (var s = 0u; s < p.splits; s++) {
        let apart = distance_of(s, v, m) - d;
        squares += moments[(s * 3u + 2u) * p.vectors + v] + count_of(s) * apart * apart;
    }
    let all = max(squares, Value(0.0));
    statistics[v] = m;
    statistics[p.vectors + v] = d;
    statistics[2u * p.vectors + v] = told(squares, 1.0 / sqrt(all / n + p.eps));
    statistics[3u * p.vectors + v] = told(squares, all / max(n - 1.0, 1.0));
}

// x, or NaN where the squares are not finite: max may have hidden that.
fn told(squares: Value, x: Value) -> Value {
    return vec4<f32>(
        hs_nan_where(!hs_is_finite(squares.x), x.x),
        hs_nan_where(!hs_is_finite(squares.y), x.y),
        hs_nan_where(!hs_is_finite(squares.z), x.z),
        hs_nan_where(!hs_is_finite(squares.w), x.w),
    );
}

fn count_of(split: u32) -> f32 {
    let first = min(split * p.split, rows());
    return f32(min(first + p.split, rows()) - first);
}

// The split's mean - m.
fn distance_of(split: u32, v: u32, m: Value) -> Value {
    let at = split * 3u * p.vectors + v;
    return min(moments[at] - m, Value(3e38)) + moments[at + p.vectors];
}
