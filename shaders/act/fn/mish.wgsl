// f = a t,  t = tanh(log(1 + e^a)),  f' = t + a t',  f'' = 2 t' + a t'';  x = e^-|a|, so that nothing overflows:
// below 0      D = x^2 + 2 x + 2       t = (x^2 + 2 x) / D    t' = 4 (x + x^2) / D^2      t'' = 4 x (2 + 2 x - 3 x^2 - 2 x^3) / D^3
// 0 and above  D = 1 + 2 x + 2 x^2     t = (1 + 2 x) / D      t' = 4 (x^2 + x^3) / D^2    t'' = 4 x^2 (-2 - 3 x + 2 x^2 + 2 x^3) / D^3
fn act_denominator(x: f32, below: bool) -> f32 {
    return select(fma(x, fma(2.0, x, 2.0), 1.0), fma(x, x + 2.0, 2.0), below);
}

fn act(a: f32) -> f32 {
    let x = hs_exp(-abs(a));
    let below = a < 0.0;
    return a * (select(fma(2.0, x, 1.0), x * (x + 2.0), below) / act_denominator(x, below));
}

fn act_d(a: f32) -> vec2<f32> {
    let b = clamp(a, -200.0, 200.0); // so that b * 0 is 0
    let x = hs_exp(-abs(b));
    let below = b < 0.0;
    let d = act_denominator(x, below);
    let t = select(fma(2.0, x, 1.0), x * (x + 2.0), below) / d;
    let t1 = 4.0 * (x * select(x * (1.0 + x), 1.0 + x, below)) / (d * d);
    let rise = select(x * fma(x, x * fma(2.0, x, 2.0) - 3.0, -2.0), fma(x, fma(x, fma(-2.0, x, -3.0), 2.0), 2.0), below);
    let t2 = 4.0 * (x * rise) / (d * d * d);
    return vec2(fma(b, t1, t), fma(b, t2, 2.0 * t1));
}
