//! Losses and activations as a user writes them, with names that shaders have too.

use hesscale::model::{CustomActivation, CustomLoss, ElementwiseLoss, RowLoss, Term};
use hesscale::{Activation, Loss};

/// [`Loss::huber`] of ½, in its words.
pub(crate) const HUBER: &str = "
    // r = z - y /* not nested */
    const DELTA: f32 = 0.5; /* as /* the */ { crate's */
    const x = 1u;
    struct Part { far: bool, x: f32, logits: f32 }
    var <private> tail: f32;

    fn p(z: f32, y: f32) -> Part {
        let r = vec2<f32>(z - y, 0.0).x;
        return Part(abs(r) > DELTA, r, 0.0);
    }

    @must_use
    fn term(z: f32, y: f32) -> Term {
        let main = p(z, y);
        tail = abs(main.x) - 0.5 * DELTA;
        let value = select(0.5 * main.x * main.x, DELTA * tail, main.far);
        let spoilt = !hs_is_finite(main.x);
        let h = select(f32(x), 0.0, main.far);
        return Term(
            hs_nan_where(spoilt, value), hs_nan_where(spoilt, clamp(main.x, -DELTA, DELTA)), hs_nan_where(spoilt, h)
        );
    }";

pub(crate) fn huber() -> ElementwiseLoss {
    CustomLoss::elementwise("own_huber", HUBER).unwrap().on_cpu(|z, y| {
        let r = z - y;
        let (value, g, h) = match r.abs() <= 0.5 {
            true => (0.5 * r * r, r, 1.0),
            false => (0.5 * (r.abs() - 0.25), 0.5_f64.copysign(r), 0.0),
        };
        let sound = if r.is_finite() { 1.0 } else { f64::NAN };
        Term { value: sound * value, g: sound * g, h: sound * h }
    })
}

/// `1 − c`, c the cosine of outputs and targets. With `u = z/|z|`, `v = y/|y|`, `d_k = v_k − c u_k`:
/// `g_k = −d_k/|z|`, `h_k = (2 d_k u_k + c (1 − u_k²))/|z|²`.
pub(crate) const COSINE: &str = "
    struct Row { inverse: f32, of_targets: f32, cosine: f32 }

    fn read_row() -> Row {
        var sums = vec3<f32>(0.0); // |z|², |y|², z·y
        for (var k = 0u; k < output_count(); k++) {
            let z = output_at(k);
            let y = target_at(k);
            sums += vec3<f32>(z * z, y * y, z * y);
        }
        let inverse = inverseSqrt(sums.xy);
        return Row(inverse.x, inverse.y, sums.b * inverse.r * inverse.g);
    }

    fn part(row: Row, k: u32) -> Term {
        let u = output_at(k) * row.inverse;
        let d = target_at(k) * row.of_targets - row.cosine * u;
        let h = (2.0 * d * u + row.cosine * (1.0 - u * u)) * row.inverse * row.inverse;
        return Term(select(0.0, 1.0 - row.cosine, k == 0u), -d * row.inverse, h);
    }";

pub(crate) fn cosine() -> RowLoss {
    CustomLoss::by_row("cosine", COSINE).unwrap().on_cpu(|z, y, g, h| {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let (length, other) = (dot(z, z).sqrt(), dot(y, y).sqrt());
        let c = dot(z, y) / (length * other);
        for (k, (z, y)) in z.iter().zip(y).enumerate() {
            let (u, v) = (z / length, y / other);
            let d = v - c * u;
            g[k] = -d / length;
            h[k] = (2.0 * d * u + c * (1.0 - u * u)) / length.powi(2);
        }
        1.0 - c
    })
}

/// `(Σ z/K − y₁ − 2 y₂)²` with K outputs and two targets. The last output and the last target are read by places far past
/// them, which the text computes.
pub(crate) fn mean_of_outputs() -> RowLoss {
    let wgsl = "
        alias Row = f32;

        fn read_row() -> Row {
            var far = output_count() - 1u;
            var sum = output_at(far + 0xffff0000u);
            for (var k = 0u; k + 1u < output_count(); k++) {
                sum += output_at(k);
            }
            return sum / f32(output_count()) - target_at(0u) - f32(target_count()) * target_at(far + 7u);
        }

        fn part(row: Row, k: u32) -> Term {
            let each = 1.0 / f32(output_count());
            return Term(row * row * each, 2.0 * row * each, 2.0 * each * each);
        }";
    CustomLoss::by_row("mean_of_outputs", wgsl).unwrap().targets(2).on_cpu(|z, y, g, h| {
        let each = 1.0 / z.len() as f64;
        let r = each * z.iter().sum::<f64>() - y[0] - 2.0 * y[1];
        g.fill(2.0 * r * each);
        h.fill(2.0 * each * each);
        r * r
    })
}

/// All of them.
pub(crate) fn losses() -> [Loss; 3] {
    [huber().into(), cosine().into(), mean_of_outputs().into()]
}

/// [`Activation::Softplus`] in its words, and `v.g`, which is no variable g.
pub(crate) const SOFTPLUS: &str = "
    const g = 1.0;
    var <private> slope: f32;

    fn act(a: f32) -> f32 {
        return g * hs_softplus(a);
    }

    fn act_d(a: f32) -> vec2<f32> {
        let s = hs_sigmoid_pair(a);
        slope = s.r;
        return vec2(slope, slope * s.g);
    }";

pub(crate) fn softplus() -> Activation {
    let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
    let function = move |a: f64| {
        let value = a.max(0.0) + (-a.abs()).exp().ln_1p();
        [value, sigmoid(a), sigmoid(a) * sigmoid(-a)]
    };
    CustomActivation::new("own_softplus", SOFTPLUS).unwrap().on_cpu(function).into()
}
