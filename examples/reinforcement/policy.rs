//! Policies over a network's outputs.

use fastrand::Rng;
use hesscale::Loss;
use std::f32::consts::TAU;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// One of so many actions, by their logits.
    Softmax(usize),
    /// So many numbers, each by a mean; then as many logarithms of variances.
    Gaussian(usize),
}

impl Policy {
    /// Of the network.
    pub(crate) fn outputs(self) -> usize {
        match self {
            Policy::Softmax(actions) => actions,
            Policy::Gaussian(len) => 2 * len,
        }
    }

    /// The loss of PPO.
    pub(crate) fn ppo(self, clip: f64) -> Loss {
        match self {
            Policy::Softmax(_) => Loss::ppo_discrete(clip, 0.0),
            Policy::Gaussian(_) => Loss::ppo_gaussian(clip, 0.0),
        }
    }

    /// An action by lot: an index, or numbers.
    pub(crate) fn sample(self, outputs: &[f32], random: &mut Rng) -> Vec<f32> {
        match self {
            Policy::Softmax(_) => {
                let mut left = random.f32();
                let likely = softmax(outputs);
                let action = likely.iter().position(|p| {
                    left -= p;
                    left < 0.0
                });
                vec![action.unwrap_or(outputs.len() - 1) as f32]
            }
            Policy::Gaussian(len) => {
                let mut normal = || (-2.0 * (1.0 - random.f32()).ln()).sqrt() * (TAU * random.f32()).cos();
                (0..len).map(|k| outputs[k] + (0.5 * outputs[len + k]).exp() * normal()).collect()
            }
        }
    }

    /// log π(action)
    pub(crate) fn log_prob(self, outputs: &[f32], action: &[f32]) -> f32 {
        match self {
            Policy::Softmax(_) => softmax(outputs)[action[0] as usize].max(f32::MIN_POSITIVE).ln(),
            Policy::Gaussian(len) => (0..len)
                .map(|k| {
                    let (off, log_variance) = (action[k] - outputs[k], outputs[len + k]);
                    -0.5 * (off * off * (-log_variance).exp() + log_variance + TAU.ln())
                })
                .sum(),
        }
    }

    /// Of `−a log π(action) − e H` at the outputs, H the policy's entropy: gradient and second derivatives.
    pub(crate) fn signal(self, outputs: &[f32], action: &[f32], a: f32, e: f32) -> (Vec<f32>, Vec<f32>) {
        match self {
            Policy::Softmax(_) => {
                let likely = softmax(outputs);
                let logs: Vec<f32> = likely.iter().map(|p| p.max(f32::MIN_POSITIVE).ln()).collect();
                let entropy = -likely.iter().zip(&logs).map(|(p, log)| p * log).sum::<f32>();
                let each = likely.iter().zip(&logs).enumerate().map(|(k, (p, log))| {
                    let chosen = if k == action[0] as usize { 1.0 } else { 0.0 };
                    let g = a * (p - chosen) + e * p * (log + entropy);
                    let h = a * p * (1.0 - p) + e * p * ((1.0 - 2.0 * p) * (log + entropy) + 1.0 - p);
                    (g, h)
                });
                each.unzip()
            }
            Policy::Gaussian(len) => {
                let (mut g, mut h) = (vec![0.0; 2 * len], vec![0.0; 2 * len]);
                for k in 0..len {
                    let (off, precision) = (action[k] - outputs[k], (-outputs[len + k]).exp());
                    let square = off * off * precision;
                    (g[k], h[k]) = (-a * off * precision, a * precision);
                    (g[len + k], h[len + k]) = (-0.5 * (a * (square - 1.0) + e), 0.5 * a * square);
                }
                (g, h)
            }
        }
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let all: Vec<f32> = logits.iter().map(|z| (z - most).exp()).collect();
    let sum = all.iter().sum::<f32>();
    all.into_iter().map(|x| x / sum).collect()
}
