// f = a (1 + tanh u) / 2 = a s(w),  w = 2 u = 2 sqrt(2/pi) (a + 0.044715 a^3),  s = sigmoid,
// f' = s(w) + a w' S,  f'' = S (2 w' + a w'' + a w'^2 (s(-w) - s(w))),  S = s(w) s(-w)
fn act_w(a: f32) -> f32 {
    return a * fma(a * a, 0.0713548163, 1.59576912);
}

// The sigmoid saturates well before |a| = 20; clamping keeps the powers of a finite.
fn act_clamp(a: f32) -> f32 {
    return clamp(a, -20.0, 20.0);
}

fn act(a: f32) -> f32 {
    return a * hs_sigmoid(act_w(act_clamp(a)));
}

fn act_d(a: f32) -> vec2<f32> {
    let x = act_clamp(a);
    let s = hs_sigmoid_pair(act_w(x));
    let slope = s.x * s.y;
    let w1 = fma(x * x, 0.214064449, 1.59576912);
    let w2 = 0.428128898 * x;
    return vec2(fma(x * w1, slope, s.x), slope * fma(x * w1 * w1, s.y - s.x, fma(2.0, w1, x * w2)));
}
