//! The optimisers' update rules.

use super::Real;
use crate::model::{Limits, Noise, Optimizer, OptimizerState, Rule, Span};
use crate::{Error, Result};
use std::slice::from_ref;

impl<T: Real> OptimizerState<T> {
    /// One update of `parameters`. Decoupled weight decay first: `θ ← θ − η λ θ`. Then `θ ← θ − u`:
    ///
    /// - SGD: `m ← μ m + g`, `u = η m`, or `η (g + μ m)` with Nesterov;
    /// - RMSProp: `v ← β₂ v + (1−β₂) g²`, `m ← μ m + g / (√v + ε)`, `u = η m`;
    /// - ObGD: `m ← γλ m + g`, or `m ← g` at an episode's first step, and with `x = m`, or `x = m / √(v̂ + ε)`,
    ///   `v ← β₂ v + (1−β₂) (δ m)²` (adaptive): `u = η δ x min(1, 1 / (η κ max(|δ|, 1) Σ |x|))`;
    /// - UPGD: `m ← β m + (1−β) (½ h θ² − g θ)`, `u = η (g + ξ) (1 − σ(m / max m))`, ξ by [`Noise::normals`];
    /// - Lion: `u = η sign(β₁ m + (1−β₁) g)`, `m ← β₂ m + (1−β₂) g`;
    /// - the others: `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) q`, and with `m̂ = m / (1−β₁ᵗ)`, `v̂ = v / (1−β₂ˢ)`
    ///   - `u = η m̂ / (√v̂ + ε)`, `q = g²` (Adam), `q = h²` (AdaHesScale and AdaHesScaleGN);
    ///   - `u = η m̂ / (v̂ + ε)` or `η m̂ / (√v̂ + ε)`, `q = |h|` (AdaHesScale by magnitude);
    ///   - `u = η m / max(γ v, ε)`, `q = h` (Sophia).
    ///
    /// [`Limits`] says how g and u are limited. Where the optimiser keeps a mean of the parameters, it moves last.
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
        let all = Span::new(0..self.m.len(), optimizer);
        self.step_spans(optimizer, from_ref(&all), parameters, gradient, diagonal)
    }

    /// The same for these spans alone, which do not overlap, each at its own rate and decay; nothing outside them is touched, or
    /// counts towards a norm.
    ///
    /// # Errors
    /// As [`OptimizerState::step`]; [`Error::Length`] for a span past the end.
    pub fn step_spans(
        &mut self,
        optimizer: &Optimizer,
        spans: &[Span],
        parameters: &mut [T],
        gradient: &[T],
        diagonal: &[T],
    ) -> Result<()> {
        optimizer.validate()?;
        let with_diagonal = optimizer.rule.mode().has_diagonal() && !diagonal.is_empty();
        let lengths = [("parameters", parameters.len()), ("gradient", gradient.len()), ("v", self.v.len())];
        let average = (!self.average.is_empty()).then_some(("average", self.average.len()));
        let diagonal_len = with_diagonal.then_some(("diagonal", diagonal.len()));
        for (tensor, got) in lengths.into_iter().chain(average).chain(diagonal_len) {
            Error::check_length(tensor, got, self.m.len())?;
        }
        let end = spans.iter().map(|span| span.range.end).max().unwrap_or(0);
        Error::check_length("spans", end.max(self.m.len()), self.m.len())?;

        if optimizer.average.is_some() && self.average.is_empty() {
            self.average = parameters.to_vec();
        }
        let Limits { gradient: value, gradient_norm, update, trust } = optimizer.limits;
        let indices = || spans.iter().flat_map(|span| span.range.clone().map(move |i| (span, i)));
        let mut g: Vec<T> = gradient.iter().map(|g| clipped(*g, value)).collect();
        if let Some(most) = gradient_norm {
            let most = f64::from(most);
            let factor = factor(most * most, indices().map(|(_, i)| g[i].squared())).sqrt();
            g.iter_mut().for_each(|g| *g = factor * *g);
        }
        self.step = self.step.saturating_add(1);
        let averages = optimizer.rule.averages(with_diagonal);
        self.curvature_steps = self.curvature_steps.saturating_add(averages.into());

        let number = |x: f32| T::from_f64(f64::from(x));
        let bound = optimizer.rule.bound(optimizer.learning_rate);
        let mut updates = vec![T::zero(); g.len()];
        let mut weighted = Vec::new();
        if let Rule::Upgd { trace, .. } = optimizer.rule
            && with_diagonal
        {
            for (_, i) in indices() {
                let theta = parameters[i];
                let utility = number(0.5) * diagonal[i] * theta.squared() - g[i] * theta;
                self.m[i] = mean(trace, self.m[i], utility);
            }
        }
        let most = indices().map(|(_, i)| self.m[i]).fold(T::zero(), T::max);
        for (span, i) in indices() {
            let h = if with_diagonal { Some(diagonal[i]) } else { None };
            let (u, denominator) = self.step_of(&optimizer.rule, i, g[i], h, most);
            let rate = T::from_f64(f64::from(optimizer.learning_rate) * f64::from(span.rate));
            updates[i] = rate * clipped(u, update);
            weighted.push(match bound {
                Some(_) => number(span.rate) * denominator.abs(),
                None => denominator * updates[i].squared(),
            });
        }
        let weighted = weighted.into_iter();
        let scale = match (bound, trust) {
            (Some(most), _) => factor(most, weighted),
            (None, Some(delta)) => factor(2.0 * f64::from(delta), weighted).sqrt(),
            (None, None) => T::one(),
        };
        for (span, i) in indices() {
            let rate = f64::from(optimizer.learning_rate) * f64::from(span.rate);
            let keep = T::from_f64(1.0 - rate * f64::from(span.weight_decay));
            parameters[i] = keep * parameters[i] - scale * updates[i];
            if let Some(keep) = optimizer.average {
                let take = T::from_f64(1.0 - f64::from(keep));
                self.average[i] = number(keep) * self.average[i] + take * parameters[i];
            }
        }
        Ok(())
    }

    /// Moves the moments of parameter i, but not UPGD's utilities, whose largest is `most`; returns `u / η`, and what it was divided
    /// by, without ε; of ObGD x.
    fn step_of(&mut self, rule: &Rule, i: usize, g: T, h: Option<T>, most: T) -> (T, T) {
        let number = |x: f32| T::from_f64(f64::from(x));
        // Bias corrections in f64: 1 − β₂ᵗ has few digits in f32.
        let corrected =
            |x: T, beta: f32, count: u64| x * T::from_f64(1.0 / (1.0 - f64::from(beta).powf(count as f64)));
        let (step, curvature_steps) = (self.step, self.curvature_steps);
        let (m, v) = (&mut self.m[i], &mut self.v[i]);
        let (zero, one) = (T::zero(), T::one());
        match *rule {
            Rule::Sgd { momentum, nesterov } => {
                *m = number(momentum) * *m + g;
                (if nesterov { g + number(momentum) * *m } else { *m }, one)
            }
            Rule::RmsProp { beta2, eps, momentum } => {
                *v = mean(beta2, *v, g.squared());
                *m = number(momentum) * *m + g / (v.sqrt() + number(eps));
                (*m, one)
            }
            Rule::ObGd { trace, transition, .. } => {
                let kept = if transition.first { zero } else { number(trace) * *m };
                *m = kept + g;
                (number(transition.error) * *m, *m)
            }
            Rule::AdaptiveObGd { trace, beta2, eps, transition, .. } => {
                let kept = if transition.first { zero } else { number(trace) * *m };
                *m = kept + g;
                *v = mean(beta2, *v, (number(transition.error) * *m).squared());
                let x = *m / (corrected(*v, beta2, curvature_steps) + number(eps)).sqrt();
                (number(transition.error) * x, x)
            }
            Rule::Upgd { noise, seed, .. } => {
                if curvature_steps == 0 {
                    return (zero, zero);
                }
                let noisy = Noise { seed, step: u32::try_from(step).unwrap_or(u32::MAX) };
                let xi = noisy.normals(Noise::PARAMETERS, (i / 4) as u32)[i % 4];
                let ratio = if most > zero { *m / most } else { zero };
                let taken = g + T::from_f64(f64::from(noise) * xi);
                (taken / (one + ratio.exp()), one)
            }
            Rule::Lion { beta1, beta2 } => {
                let c = mean(beta1, *m, g);
                *m = mean(beta2, *m, g);
                let sign = if c > zero {
                    one
                } else if c < zero {
                    -one
                } else {
                    zero
                };
                // What is not finite stays so, and is told.
                (if c.value().is_finite() { sign } else { c }, one)
            }
            Rule::Adam { beta1, beta2, eps }
            | Rule::AdaHesScale { beta1, beta2, eps }
            | Rule::AdaHesScaleGn { beta1, beta2, eps }
            | Rule::AdaHesScaleAbs { beta1, beta2, eps, .. }
            | Rule::Sophia { beta1, beta2, eps, .. } => {
                *m = mean(beta1, *m, g);
                let q = match *rule {
                    Rule::Adam { .. } => Some(g.squared()),
                    Rule::AdaHesScaleAbs { .. } => h.map(T::abs),
                    Rule::Sophia { .. } => h,
                    _ => h.map(T::squared),
                };
                *v = q.map_or(*v, |q| mean(beta2, *v, q));
                if curvature_steps == 0 {
                    return (zero, zero);
                }
                let (m_hat, v_hat) = (corrected(*m, beta1, step), corrected(*v, beta2, curvature_steps));
                match *rule {
                    Rule::Sophia { gamma, .. } => {
                        let denominator = (number(gamma) * *v).max(number(eps));
                        (*m / denominator, denominator)
                    }
                    Rule::AdaHesScaleAbs { root: false, .. } => (m_hat / (v_hat + number(eps)), v_hat),
                    _ => (m_hat / (v_hat.sqrt() + number(eps)), v_hat.sqrt()),
                }
            }
        }
    }
}

/// `β x + (1−β) next`
fn mean<T: Real>(beta: f32, x: T, next: T) -> T {
    T::from_f64(f64::from(beta)) * x + T::from_f64(1.0 - f64::from(beta)) * next
}

/// `clip(x, ±most)`; what is not finite stays as it is.
fn clipped<T: Real>(x: T, most: Option<f32>) -> T {
    match most.map(|most| T::from_f64(f64::from(most))) {
        Some(most) if x.value().is_finite() => x.min(most).max(-most),
        _ => x,
    }
}

/// `min(1, most / Σ terms)`; 0 where the sum is not finite.
fn factor<T: Real>(most: f64, terms: impl Iterator<Item = T>) -> T {
    let sum = terms.fold(T::zero(), |sum, term| sum + term);
    let most = T::from_f64(most);
    match sum.value().is_finite() {
        false => T::zero(),
        true if sum > most => most / sum,
        true => T::one(),
    }
}
