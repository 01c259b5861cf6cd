//! The signal of a loss along a direction of its logits.

use super::{HostLoss, sigmoids, softplus, terms};
use crate::rules::{Loss, MAX_LOG_PRECISION, Targets, Variance};

impl HostLoss {
    /// Of one sample, whose logits z and their derivatives ż stand among `logits`: the loss; `scale · H ż` and `scale · ∂L/∂z` are
    /// left in the places of z and ż. H is the loss's Hessian: of a softmax `m (diag p − p pᵀ)`, of a Gaussian that of each mean and
    /// variance head, else a diagonal.
    pub(super) fn sample_along(
        &mut self,
        scale: f64,
        sample: usize,
        logits: &[f32],
        targets: Targets<'_>,
        signal: Option<&mut [f32]>,
    ) -> f64 {
        let (outputs, first) = (self.outputs, 2 * sample * self.outputs);
        let (z, along) = logits[first..first + 2 * outputs].split_at(outputs);
        let mut nowhere = Vec::new();
        let (product, gradient) = match signal {
            Some(signal) => signal[first..first + 2 * outputs].split_at_mut(outputs),
            None => {
                nowhere.resize(2 * outputs, 0.0);
                nowhere.split_at_mut(outputs)
            }
        };
        match self.loss {
            Loss::SoftmaxCrossEntropy { .. } => {
                self.softmax_along(scale, sample, [z, along], targets, [product, gradient])
            }
            _ => self.terms_along(scale, sample, [z, along], targets, [product, gradient]),
        }
    }

    fn terms_along(
        &mut self,
        scale: f64,
        sample: usize,
        [z, along]: [&[f32]; 2],
        targets: Targets<'_>,
        [product, gradient]: [&mut [f32]; 2],
    ) -> f64 {
        let Targets::Values(targets) = targets else { return f64::NAN };
        let row = self.begin(sample, targets);
        let width = row.len();
        let value = terms(&self.loss, self.positions, z, row, [&mut self.gradient, &mut self.diagonal]);
        for i in 0..z.len() {
            let mut curved = self.diagonal[i] * f64::from(along[i]);
            if let Loss::GaussianNll { var, .. } = self.loss {
                let (k, other) = (i % width, (i + width) % z.len());
                let r = f64::from(z[k]) - f64::from(row[k]);
                curved += mixed(var, r, f64::from(z[width + k])) * f64::from(along[other]);
            }
            product[i] = (scale * curved) as f32;
            gradient[i] = (scale * self.gradient[i]) as f32;
        }
        value
    }

    fn softmax_along(
        &mut self,
        scale: f64,
        sample: usize,
        [z, along]: [&[f32]; 2],
        targets: Targets<'_>,
        [product, gradient]: [&mut [f32]; 2],
    ) -> f64 {
        let (positions, classes) = (self.positions, self.classes);
        let mut value = 0.0;
        for position in 0..positions {
            let places = move || (0..classes).map(move |c| c * positions + position);
            match targets {
                Targets::Classes(given) => {
                    let class = given[sample * positions + position];
                    if Some(class) == self.loss.ignored() {
                        places().for_each(|i| (product[i], gradient[i]) = (0.0, 0.0));
                        continue;
                    }
                    self.row.set_class(&self.loss, classes, class as usize);
                }
                Targets::Values(given) => {
                    let first = sample * classes * positions;
                    self.row.set_masses(&self.loss, places().map(|i| f64::from(given[first + i])));
                }
            }
            if places().any(|i| !z[i].is_finite()) {
                value = f64::NAN;
                places().for_each(|i| (product[i], gradient[i]) = (f32::NAN, f32::NAN));
                continue;
            }
            self.row.set_logits(places().map(|i| f64::from(z[i])));
            value += self.row.value();
            let row = &self.row;
            // From the likeliest class' on, so that nothing cancels where that one has nearly all of p.
            let top = f64::from(along[row.top * positions + position]);
            let from_top = |i: usize| f64::from(along[i]) - top;
            let mean: f64 = places().zip(&row.p).map(|(i, p)| p * from_top(i)).sum();
            for (c, i) in places().enumerate() {
                let (p, y) = (row.p[c], row.y[c]);
                product[i] = (scale * row.mass * p * (from_top(i) - mean)) as f32;
                gradient[i] = (scale * (p * (row.mass - y) - y * row.rest(c))) as f32;
            }
        }
        value
    }
}

/// `∂²l/∂μ∂ρ = −(r/v) v'/v` of a Gaussian.
fn mixed(var: Variance, r: f64, rho: f64) -> f64 {
    let (log_v, s) = match var {
        Variance::Log => (rho, 1.0),
        Variance::Softplus if rho < -40.0 => (rho, 1.0),
        Variance::Softplus => {
            let v = softplus(rho);
            (v.ln(), sigmoids(rho)[0] / v)
        }
    };
    -r * (-log_v).min(MAX_LOG_PRECISION).exp() * s
}
