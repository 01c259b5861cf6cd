//! Proximal policy optimisation: value, g and h at the outputs of a policy.
//!
//! With `log π` the log-probability of the action, s its derivative along an output and s' that of s, the ratio r has the
//! derivatives `r s` and `r (s² + s')`. They count, times −A, where the branch that is not clipped acts.

use super::Real;
use super::loss::Local;
use super::softmax::Softmax;
use crate::rules::MAX_LOG_RATIO;
use std::f64::consts::PI;

/// `−min(r A, clip(r) A)`, and what its derivatives are multiplied by: −A r, or 0.
fn surrogate<T: Real>(log_ratio: T, advantage: T, clip: f64) -> [T; 2] {
    let ratio = log_ratio.min(T::from_f64(MAX_LOG_RATIO)).exp();
    let bound = |sign: f64| T::from_f64(1.0 + sign * clip);
    let (acts, bound) = match advantage > T::zero() {
        true => (ratio <= bound(1.0), bound(1.0)),
        false => (ratio >= bound(-1.0), bound(-1.0)),
    };
    let force = -(advantage * ratio);
    let spoilt = force.value().is_nan();
    if acts || spoilt { [force, force] } else { [-(advantage * bound), T::zero()] }
}

/// `[g, h]` of a force on s and s² + s'; without a force they are 0 even where s overflows.
fn pushed<T: Real>(force: T, [first, second]: [T; 2]) -> [T; 2] {
    if force == T::zero() { [T::zero(); 2] } else { [force * first, force * second] }
}

/// Over `softmax(z)`, with `row` the action, its old log-probability and the advantage: `s_j = δ_aj − p_j`,
/// `s'_j = −p_j (1 − p_j)`. The entropy's bonus is `c p (log p + H)` and `c p [(1 − 2 p)(log p + H) + 1 − p]`.
pub(super) fn ppo_discrete<T: Real>(z: &[T], row: &[T], [clip, entropy]: [f64; 2]) -> Local<T> {
    let Softmax { p, rest, log_p, .. } = Softmax::of(z);
    let (action, old, advantage, bonus) = (row[0].value() as usize, row[1], row[2], T::from_f64(entropy));
    let [value, force] = surrogate(log_p[action] - old, advantage, clip);
    let h_of_policy = p.iter().zip(&log_p).fold(T::zero(), |sum, (p, log_p)| sum - *p * *log_p);
    let each = |j: usize| {
        let s = if j == action { rest[j] } else { -p[j] };
        let [g, h] = pushed(force, [s, s.squared() - p[j] * rest[j]]);
        let (weight, surprise) = (bonus * p[j], log_p[j] + h_of_policy);
        [T::zero(), g + weight * surprise, h + weight * ((rest[j] - p[j]) * surprise + rest[j])]
    };
    let local = Local::sum((0..z.len()).map(each));
    Local { value: value - bonus * h_of_policy, ..local }
}

/// Over independent Gaussians, `z` their means and the logarithms ρ of their variances, `row` the actions, their old log-probability
/// and the advantage. With `d = a − μ`, `q = d² e^−ρ`: `log π = −½ Σ (q + ρ + log 2π)`, `s_μ = d e^−ρ`, `s'_μ = −e^−ρ`,
/// `s_ρ = ½ (q − 1)`, `s'_ρ = −½ q`. The entropy is `½ Σ (ρ + 1 + log 2π)`.
pub(super) fn ppo_gaussian<T: Real>(z: &[T], row: &[T], [clip, entropy]: [f64; 2]) -> Local<T> {
    let (means, heads) = z.split_at(z.len() / 2);
    let (actions, behind) = row.split_at(means.len());
    let (half, one, bonus) = (T::from_f64(0.5), T::one(), T::from_f64(entropy));
    let constant = T::from_f64((2.0 * PI).ln());
    let parts = || means.iter().zip(heads).zip(actions).map(|((m, rho), a)| (*a - *m, precision(*rho), *rho));
    let (mut log_p, mut h_of_policy) = (T::zero(), T::zero());
    for (d, precision, rho) in parts() {
        log_p = log_p - half * (d * (d * precision) + rho + constant);
        h_of_policy += half * (rho + one + constant);
    }
    let [value, force] = surrogate(log_p - behind[0], behind[1], clip);
    let of_means = parts().map(|(d, precision, _)| {
        let q = d * (d * precision);
        let [g, h] = pushed(force, [d * precision, precision * (q - one)]);
        [T::zero(), g, h]
    });
    let of_heads = parts().map(|(d, precision, _)| {
        let q = d * (d * precision);
        let s = half * (q - one);
        let [g, h] = pushed(force, [s, s.squared() - half * q]);
        [T::zero(), g - half * bonus, h]
    });
    let local = Local::sum(of_means.chain(of_heads));
    Local { value: value - bonus * h_of_policy, ..local }
}

fn precision<T: Real>(rho: T) -> T {
    (-rho).min(T::from_f64(crate::rules::MAX_LOG_PRECISION)).exp()
}
