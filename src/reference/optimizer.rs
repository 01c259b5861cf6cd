//! The optimisers' update rules.

use super::Real;
use crate::model::{Optimizer, OptimizerState, Rule};
use crate::{Error, Result};

impl<T: Real> OptimizerState<T> {
    /// One update of `parameters`. Decoupled weight decay first: `θ ← θ − η λ θ`. Then
    ///
    /// - SGD: `m ← μ m + g`, `θ ← θ − η m`, or `θ − η (g + μ m)` with Nesterov;
    /// - the others: `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) q`, `θ ← θ − η m̂ / (√v̂ + ε)` with `q = g²` (Adam) or
    ///   `q = h²` (AdaHesScale and AdaHesScaleGN), `m̂ = m / (1−β₁ᵗ)`, `v̂ = v / (1−β₂ˢ)`.
    ///
    /// Curvature may be lazy: a rule that reads the diagonal may be given an empty one on steps between evaluations. Then
    /// v stays as it was, and s, which corrects its bias, counts only the updates of v. Until there has been one, `θ`
    /// does not move but for its decay.
    ///
    /// # Errors
    /// [`Error::Length`] for slices that do not match the state, and all of [`Optimizer::validate`]. The state and the
    /// parameters are then untouched.
    pub fn step(
        &mut self,
        optimizer: &Optimizer,
        parameters: &mut [T],
        gradient: &[T],
        diagonal: &[T],
    ) -> Result<()> {
        optimizer.validate()?;
        let reads_diagonal = matches!(optimizer.rule, Rule::AdaHesScale { .. } | Rule::AdaHesScaleGn { .. });
        let with_diagonal = reads_diagonal && !diagonal.is_empty();
        for (tensor, got) in
            [("parameters", parameters.len()), ("gradient", gradient.len()), ("v", self.v.len())]
                .into_iter()
                .chain(with_diagonal.then_some(("diagonal", diagonal.len())))
        {
            Error::check_length(tensor, got, self.m.len())?;
        }

        let (rate, decay) = (f64::from(optimizer.learning_rate), f64::from(optimizer.weight_decay));
        let keep = T::from_f64(1.0 - rate * decay);
        parameters.iter_mut().for_each(|p| *p = keep * *p);
        self.step = self.step.saturating_add(1);
        match optimizer.rule {
            Rule::Sgd { momentum, nesterov } => {
                let (rate, mu) = (T::from_f64(rate), T::from_f64(f64::from(momentum)));
                for ((p, m), g) in parameters.iter_mut().zip(&mut self.m).zip(gradient) {
                    *m = mu * *m + *g;
                    let update = if nesterov { *g + mu * *m } else { *m };
                    *p = *p - rate * update;
                }
            }
            Rule::Adam { beta1, beta2, eps } => {
                self.average_square(beta2, gradient);
                self.adapt(rate, beta1, beta2, eps, parameters, gradient);
            }
            Rule::AdaHesScale { beta1, beta2, eps } | Rule::AdaHesScaleGn { beta1, beta2, eps } => {
                if with_diagonal {
                    self.average_square(beta2, diagonal);
                }
                self.adapt(rate, beta1, beta2, eps, parameters, gradient);
            }
        }
        Ok(())
    }

    /// `v ← β₂ v + (1−β₂) q`, q the squares of `values`.
    fn average_square(&mut self, beta2: f32, values: &[T]) {
        let (keep, take) = (T::from_f64(f64::from(beta2)), T::from_f64(1.0 - f64::from(beta2)));
        self.v.iter_mut().zip(values).for_each(|(v, x)| *v = keep * *v + take * x.squared());
        self.curvature_steps = self.curvature_steps.saturating_add(1);
    }

    /// `m ← β₁ m + (1−β₁) g`, then `θ ← θ − η m̂ / (√v̂ + ε)`.
    fn adapt(&mut self, rate: f64, beta1: f32, beta2: f32, eps: f32, parameters: &mut [T], gradient: &[T]) {
        let (keep, take) = (T::from_f64(f64::from(beta1)), T::from_f64(1.0 - f64::from(beta1)));
        self.m.iter_mut().zip(gradient).for_each(|(m, g)| *m = keep * *m + take * *g);
        if self.curvature_steps == 0 {
            return;
        }
        // Bias corrections in f64: 1 − β₂ᵗ has few digits in f32.
        let correction = |beta: f32, count: u64| 1.0 - f64::from(beta).powf(count as f64);
        let rate = T::from_f64(rate / correction(beta1, self.step));
        let scale = T::from_f64(1.0 / correction(beta2, self.curvature_steps));
        let eps = T::from_f64(f64::from(eps));
        for ((p, m), v) in parameters.iter_mut().zip(&self.m).zip(&self.v) {
            *p = *p - rate * *m / ((scale * *v).sqrt() + eps);
        }
    }
}
