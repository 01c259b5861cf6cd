//! Proximal policy optimisation on the CPU: the formulas of `shaders/loss/ppo_discrete.wgsl` and `ppo_gaussian.wgsl`.

use super::Row;
use crate::rules::{MAX_LOG_PRECISION, MAX_LOG_RATIO};
use std::f64::consts::PI;

/// `−min(r A, clip(r) A)`, and the force `−A r` on the policy's derivatives, 0 where the clipped branch acts.
fn surrogate(log_ratio: f64, advantage: f64, clip: f64) -> [f64; 2] {
    let ratio = log_ratio.min(MAX_LOG_RATIO).exp();
    let (most, least) = (1.0 + clip, 1.0 - clip);
    match advantage > 0.0 {
        true if ratio > most => [-advantage * most, 0.0],
        false if ratio < least => [-advantage * least, 0.0],
        _ => [-advantage * ratio; 2],
    }
}

/// Without a force there is nothing, even where `x` overflows.
fn pushed(force: f64, x: f64) -> f64 {
    if force == 0.0 { 0.0 } else { force * x }
}

fn spoil([g, h]: [&mut [f64]; 2]) -> f64 {
    g.fill(f64::NAN);
    h.fill(f64::NAN);
    f64::NAN
}

/// Over the softmax that `policy` has room for; `row` is the action, its old log-probability, the advantage.
pub(super) fn discrete(
    policy: &mut Row,
    logits: &[f32],
    row: &[f32],
    [clip, bonus]: [f64; 2],
    [g, h]: [&mut [f64]; 2],
) -> f64 {
    let [action, old, advantage] = [0, 1, 2].map(|i| f64::from(row[i]));
    let known = (0..logits.len()).find(|j| *j as f64 == action);
    let (Some(action), true) = (known, logits.iter().chain(row).all(|x| x.is_finite())) else {
        return spoil([g, h]);
    };
    policy.set_logits(logits.iter().map(|z| f64::from(*z)));
    let log_sum = policy.others.ln_1p();
    let log_p = |j: usize| policy.z[j] - log_sum;
    let of_policy = -(0..logits.len()).map(|j| policy.p[j] * log_p(j)).sum::<f64>();
    let [value, force] = surrogate(log_p(action) - old, advantage, clip);
    for j in 0..logits.len() {
        let (p, rest) = (policy.p[j], policy.rest(j));
        let s = if j == action { rest } else { -p };
        let surprise = log_p(j) + of_policy;
        g[j] = pushed(force, s) + bonus * p * surprise;
        h[j] = pushed(force, s * s - p * rest) + bonus * p * ((rest - p) * surprise + rest);
    }
    value - bonus * of_policy
}

/// Over Gaussians, means before the logarithms of variances; `row` is the actions, their old log-probability, the advantage.
pub(super) fn gaussian(logits: &[f32], row: &[f32], [clip, bonus]: [f64; 2], [g, h]: [&mut [f64]; 2]) -> f64 {
    if !logits.iter().chain(row).all(|x| x.is_finite()) {
        return spoil([g, h]);
    }
    let (means, heads) = logits.split_at(logits.len() / 2);
    let constant = (2.0 * PI).ln();
    let part = |k: usize| {
        let (d, rho) = (f64::from(row[k]) - f64::from(means[k]), f64::from(heads[k]));
        let precision = (-rho).min(MAX_LOG_PRECISION).exp();
        [d, precision, d * (d * precision), rho]
    };
    let (mut log_p, mut of_policy) = (0.0, 0.0);
    for k in 0..means.len() {
        let [_, _, q, rho] = part(k);
        log_p -= 0.5 * (q + rho + constant);
        of_policy += 0.5 * (rho + 1.0 + constant);
    }
    let [old, advantage] = [0, 1].map(|i| f64::from(row[means.len() + i]));
    let [value, force] = surrogate(log_p - old, advantage, clip);
    for k in 0..means.len() {
        let ([d, precision, q, _], head) = (part(k), means.len() + k);
        let s = 0.5 * (q - 1.0);
        (g[k], h[k]) = (pushed(force, d * precision), pushed(force, precision * (q - 1.0)));
        (g[head], h[head]) = (pushed(force, s) - 0.5 * bonus, pushed(force, s * s - 0.5 * q));
    }
    value - bonus * of_policy
}
