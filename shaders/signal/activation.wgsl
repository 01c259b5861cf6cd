// The rule for a signal through an activation, from its output to its input:
//
//     g' = f' g      h' = f'² h + f'' g  (Gauss-Newton: without the f'' term)      u' = f' u      d' = h' + Σ u'²

// (f'(a), f''(a))
struct Derivatives {
    first: Value,
    second: Value,
}

// h'
fn h_below(f: Derivatives, g: Value, h: Value) -> Value {
    var curvature = f.first * f.first * h;
    if F2_TERM {
        curvature += f.second * g;
    }
    return curvature;
}
