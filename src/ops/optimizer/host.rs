//! Optimizer steps on the CPU, each one sweep over parameters and moments; two where the step is scaled as a whole.

use crate::host::Threads;
use crate::model::{Limits, Noise, Optimizer, OptimizerState, Rule, Span};
use crate::{Error, Result};
use std::mem::take;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The same as [`OptimizerState::step`], in one sweep shared out among threads. UPGD's noise moves gaps between parameters too;
/// [`update_spans`] leaves them as they are.
///
/// # Errors
/// As [`OptimizerState::step`]. [`Error::Diverged`] if a parameter, a second moment or a utility is NaN or infinite after the step, which
/// has been taken.
pub fn update(
    threads: &Threads,
    optimizer: &Optimizer,
    memory: &mut OptimizerState<f32>,
    parameters: &mut [f32],
    gradient: &[f32],
    diagonal: &[f32],
) -> Result<()> {
    let all = Span::new(0..memory.m.len(), optimizer);
    update_spans(threads, optimizer, from_ref(&all), memory, parameters, gradient, diagonal)
}

/// The same as [`OptimizerState::step_spans`]: `spans` in ascending order.
///
/// # Errors
/// As [`OptimizerState::step_spans`], also for spans that overlap or do not ascend; [`Error::Diverged`] as [`update`].
pub fn update_spans(
    threads: &Threads,
    optimizer: &Optimizer,
    spans: &[Span],
    memory: &mut OptimizerState<f32>,
    parameters: &mut [f32],
    gradient: &[f32],
    diagonal: &[f32],
) -> Result<()> {
    optimizer.validate()?;
    let len = memory.m.len();
    let reads_diagonal = optimizer.rule.mode().has_diagonal() && !diagonal.is_empty();
    let lengths = [("parameters", parameters.len()), ("gradient", gradient.len()), ("v", memory.v.len())];
    let average = (!memory.average.is_empty()).then_some(("average", memory.average.len()));
    let diagonal_len = reads_diagonal.then_some(("diagonal", diagonal.len()));
    for (tensor, got) in lengths.into_iter().chain(average).chain(diagonal_len) {
        Error::check_length(tensor, got, len)?;
    }
    let mut end = 0;
    for span in spans {
        // Each begins behind the one before, and ends within the parameters.
        Error::check_length("spans", span.range.start.max(end), span.range.start)?;
        end = span.range.end.max(span.range.start);
    }
    Error::check_length("spans", end.max(len), len)?;

    if optimizer.average.is_some() && memory.average.is_empty() {
        memory.average = parameters.to_vec();
    }
    memory.step = memory.step.saturating_add(1);
    let averages = optimizer.rule.averages(reads_diagonal);
    // v averages what comes of these; empty on a step without curvature.
    let values = match optimizer.rule.mode().has_diagonal() {
        _ if !averages => &[],
        true => diagonal,
        false => gradient,
    };
    memory.curvature_steps = memory.curvature_steps.saturating_add(averages.into());
    let step = memory.step;
    let sweeps = Sweeps { threads, optimizer, spans, memory, parameters, gradient, values };
    match sweeps.run() {
        true => Ok(()),
        false => Err(Error::Diverged { what: "a parameter or what the optimiser keeps", step: Some(step) }),
    }
}

/// Of a rule that divides by nothing: see [`Sweeps::sweep`].
const UNDIVIDED: Option<Quotient> = None;

/// From m and v to `u / η` and what it was divided by.
type Quotient = fn(f32, f32) -> (f32, f32);

/// One update, checked.
struct Sweeps<'a> {
    threads: &'a Threads,
    optimizer: &'a Optimizer,
    spans: &'a [Span],
    memory: &'a mut OptimizerState<f32>,
    parameters: &'a mut [f32],
    gradient: &'a [f32],
    values: &'a [f32],
}

impl Sweeps<'_> {
    /// Takes the step of the rule; returns whether parameters and second moments are finite.
    fn run(self) -> bool {
        let (rule, averages) = (self.optimizer.rule, !self.values.is_empty());
        let (step, curvature_steps) = (self.memory.step, self.memory.curvature_steps);
        let rest = |beta: f32| (1.0 - f64::from(beta)) as f32;
        // Bias corrections in f64: 1 − β₂ᵗ has few digits in f32. Before v has been seen nothing moves.
        let correction = |beta: f32, count: u64| (1.0 / (1.0 - f64::from(beta).powf(count as f64))) as f32;
        let seen = curvature_steps > 0;
        let scales = |beta1: f32, beta2: f32| match seen {
            true => (correction(beta1, step), correction(beta2, curvature_steps)),
            false => (0.0, 0.0),
        };
        // A rule whose step is what its moments come to: those move by `q` of g and x, then `quotient` has the step and the
        // denominator.
        macro_rules! adaptive {
            ($beta1:ident, $beta2:ident, $q:expr, $quotient:expr) => {{
                let (take1, take2, q, quotient) = (rest($beta1), rest($beta2), $q, $quotient);
                let moved = move |m: &mut f32, v: &mut f32, g: f32, x: f32| {
                    *m = $beta1 * *m + take1 * g;
                    let next = $beta2 * *v + take2 * q(g, x);
                    *v = if averages { next } else { *v };
                    quotient(*m, *v)
                };
                self.sweep(moved, Some(quotient))
            }};
        }
        match rule {
            Rule::Sgd { momentum, nesterov } => self.sweep(
                move |m, _, g, _| {
                    *m = momentum * *m + g;
                    (if nesterov { g + momentum * *m } else { *m }, 1.0)
                },
                UNDIVIDED,
            ),
            Rule::RmsProp { beta2, eps, momentum } => {
                let take2 = rest(beta2);
                let moved = move |m: &mut f32, v: &mut f32, g: f32, _| {
                    *v = beta2 * *v + take2 * (g * g);
                    *m = momentum * *m + g / (v.sqrt() + eps);
                    (*m, 1.0)
                };
                self.sweep(moved, UNDIVIDED)
            }
            Rule::ObGd { trace, transition, .. } => {
                let (trace, error) = (if transition.first { 0.0 } else { trace }, transition.error);
                let moved = move |z: &mut f32, _: &mut f32, g: f32, _| {
                    *z = trace * *z + g;
                    (error * *z, *z)
                };
                self.sweep(moved, Some(move |z: f32, _| (error * z, z)))
            }
            Rule::AdaptiveObGd { trace, beta2, eps, transition, .. } => {
                let (trace, error) = (if transition.first { 0.0 } else { trace }, transition.error);
                let (take2, v_scale) = (rest(beta2), correction(beta2, curvature_steps));
                let quotient = move |z: f32, v: f32| {
                    let x = z / (v_scale * v + eps).sqrt();
                    (error * x, x)
                };
                let moved = move |z: &mut f32, v: &mut f32, g: f32, _| {
                    *z = trace * *z + g;
                    *v = beta2 * *v + take2 * (error * *z) * (error * *z);
                    quotient(*z, *v)
                };
                self.sweep(moved, Some(quotient))
            }
            Rule::Upgd { trace, noise, seed } => {
                let step = u32::try_from(step).unwrap_or(u32::MAX);
                self.perturbed(trace, noise, Noise { seed, step })
            }
            Rule::Lion { beta1, beta2 } => {
                let (take1, take2) = (rest(beta1), rest(beta2));
                let moved = move |m: &mut f32, _: &mut f32, g: f32, _| {
                    let c = beta1 * *m + take1 * g;
                    *m = beta2 * *m + take2 * g;
                    // What is not finite stays so, and is told; 0 has no sign.
                    let sign = if c == 0.0 { 0.0 } else { 1_f32.copysign(c) };
                    (if c.is_finite() { sign } else { c }, 1.0)
                };
                self.sweep(moved, UNDIVIDED)
            }
            Rule::Adam { beta1, beta2, eps }
            | Rule::AdaHesScale { beta1, beta2, eps }
            | Rule::AdaHesScaleGn { beta1, beta2, eps } => {
                let (m_scale, v_scale) = scales(beta1, beta2);
                let quotient = move |m: f32, v: f32| {
                    let root = (v_scale * v).sqrt();
                    (m_scale * m / (root + eps), root)
                };
                match rule {
                    // The gradient as it is limited.
                    Rule::Adam { .. } => adaptive!(beta1, beta2, |g: f32, _: f32| g * g, quotient),
                    _ => adaptive!(beta1, beta2, |_: f32, x: f32| x * x, quotient),
                }
            }
            Rule::AdaHesScaleAbs { beta1, beta2, eps, root } => {
                let (m_scale, v_scale) = scales(beta1, beta2);
                let quotient = move |m: f32, v: f32| {
                    let denominator = if root { (v_scale * v).sqrt() } else { v_scale * v };
                    (m_scale * m / (denominator + eps), denominator)
                };
                adaptive!(beta1, beta2, |_: f32, x: f32| x.abs(), quotient)
            }
            Rule::Sophia { beta1, beta2, gamma, eps } => {
                let taken = if seen { 1.0 } else { 0.0 };
                let quotient = move |m: f32, v: f32| {
                    let denominator = (gamma * v).max(eps);
                    (taken * m / denominator, denominator)
                };
                adaptive!(beta1, beta2, |_: f32, x: f32| x, quotient)
            }
        }
    }

    /// `moved` takes m, v, g and x on by a step; it and `kept`, which leaves m and v, return `u / η` and what it was divided by,
    /// without ε; of ObGD `u / η δ`. A rule that divides by nothing has no `kept`, and is not trusted.
    fn sweep(
        mut self,
        moved: impl Fn(&mut f32, &mut f32, f32, f32) -> (f32, f32) + Sync + Send + Copy,
        kept: Option<impl Fn(f32, f32) -> (f32, f32) + Sync + Send + Copy>,
    ) -> bool {
        let Limits { update, trust, .. } = self.optimizer.limits;
        let most = update.unwrap_or(f32::MAX);
        let (limited, learning_rate) = (self.limited(), self.optimizer.learning_rate);
        let (threads, average) = (self.threads, self.optimizer.average);
        let diverged = AtomicBool::new(false);
        let rates = |part: &Part<'_>| part.rates(learning_rate);
        let bound = self.optimizer.rule.bound(self.optimizer.learning_rate);
        let whole = bound.or(trust.map(|delta| 2.0 * f64::from(delta)));
        match whole.zip(kept) {
            None => threads.each(self.parts(), |mut part| {
                let (rate, keep) = rates(&part);
                let finite = part.sweep(|p, m, v, g, x| {
                    *p = keep * *p - rate * clipped(moved(m, v, limited(g), x).0, most);
                });
                part.add_to_average(average);
                diverged.fetch_or(!finite, Relaxed);
            }),
            Some((whole, kept)) => {
                let sum = self.sum(|mut part| {
                    let ((rate, _), factor, mut sum) = (rates(&part), f64::from(part.rate), 0.0);
                    part.sweep_moments(|m, v, g, x| {
                        let (step, beside) = moved(m, v, limited(g), x);
                        let u = f64::from(rate * clipped(step, most));
                        sum += match bound {
                            Some(_) => factor * f64::from(beside.abs()),
                            None => f64::from(beside) * u * u,
                        };
                    });
                    sum
                });
                let scale = match bound {
                    Some(_) => factor(whole, sum) as f32,
                    None => factor(whole, sum).sqrt() as f32,
                };
                threads.each(self.parts(), |mut part| {
                    let (rate, keep) = rates(&part);
                    let finite = part.sweep(|p, m, v, _, _| {
                        *p = keep * *p - scale * (rate * clipped(kept(*m, *v).0, most));
                    });
                    part.add_to_average(average);
                    diverged.fetch_or(!finite, Relaxed);
                });
            }
        }
        !diverged.into_inner()
    }

    /// UPGD: utilities move, by a mean of this decay, and their largest is found; then parameters do, each by its share of gradient and
    /// noise.
    fn perturbed(mut self, trace: f32, deviation: f32, noise: Noise) -> bool {
        let most = self.optimizer.limits.update.unwrap_or(f32::MAX);
        let (limited, learning_rate) = (self.limited(), self.optimizer.learning_rate);
        let (take, moves) = ((1.0 - f64::from(trace)) as f32, !self.values.is_empty());
        let (threads, average) = (self.threads, self.optimizer.average);
        let seen = if self.memory.curvature_steps > 0 { 1.0 } else { 0.0 };
        let largest = self.each(|part| {
            let mut largest = 0.0_f32;
            for ((utility, p), (g, h)) in
                part.m.iter_mut().zip(&*part.parameters).zip(part.gradient.iter().zip(part.values))
            {
                if moves {
                    *utility = trace * *utility + take * (p * (0.5 * h * p - limited(*g)));
                }
                largest = largest.max(*utility);
            }
            largest
        });
        let largest = largest.into_iter().fold(0.0, f32::max);
        // Where no utility is positive all count as 0.
        let scale = |utility: f32| if largest < f32::MIN_POSITIVE { 0.0 } else { utility / largest };
        let diverged = AtomicBool::new(false);
        threads.each(self.parts(), |mut part| {
            let (rate, keep) = part.rates(learning_rate);
            let (mut drawn, mut finite) = ([0.0; 4], true);
            for (k, ((p, utility), g)) in
                part.parameters.iter_mut().zip(&*part.m).zip(part.gradient).enumerate()
            {
                let i = part.first + k;
                if k == 0 || i % 4 == 0 {
                    drawn = noise.normals(Noise::PARAMETERS, (i / 4) as u32);
                }
                let taken = limited(*g) + (f64::from(deviation) * drawn[i % 4]) as f32;
                let step = seen * taken / (1.0 + scale(*utility).exp());
                *p = keep * *p - rate * clipped(step, most);
                finite &= p.is_finite() & utility.is_finite();
            }
            part.add_to_average(average);
            diverged.fetch_or(!finite, Relaxed);
        });
        !diverged.into_inner()
    }

    /// From an element of the gradient to what limits leave of it.
    fn limited(&mut self) -> impl Fn(f32) -> f32 + Sync + Send + Copy + use<> {
        let Limits { gradient, gradient_norm, .. } = self.optimizer.limits;
        let value = gradient.unwrap_or(f32::MAX);
        let scale = gradient_norm.map_or(1.0, |norm| {
            let sum = self
                .sum(|part| part.gradient.iter().map(|g| f64::from(clipped(*g, value)).powi(2)).sum::<f64>());
            factor(f64::from(norm).powi(2), sum).sqrt() as f32
        });
        move |g| scale * clipped(g, value)
    }

    /// The sum of what each part comes to, in their order.
    fn sum(&mut self, of: impl Fn(Part<'_>) -> f64 + Sync + Send) -> f64 {
        self.each(of).iter().sum()
    }

    /// What each part comes to.
    fn each<T: Send + Default>(&mut self, of: impl Fn(Part<'_>) -> T + Sync + Send) -> Vec<T> {
        let threads = self.threads;
        let parts = self.parts();
        let mut found: Vec<T> = parts.iter().map(|_| T::default()).collect();
        let each = parts.into_iter().zip(&mut found).collect();
        threads.each(each, |(part, found): (Part<'_>, &mut T)| *found = of(part));
        found
    }

    /// Of each span one part for each thread that pays off.
    fn parts(&mut self) -> Vec<Part<'_>> {
        let OptimizerState { m, v, average, .. } = &mut *self.memory;
        let mut rest: [&mut [f32]; 4] = [&mut *self.parameters, m, v, average];
        let mut at = 0;
        let mut next = |range: &Range<usize>| {
            let mine = rest.each_mut().map(|rest| {
                let [mine, behind] = cut(take(rest), at, range);
                *rest = behind;
                mine
            });
            at = range.end;
            mine
        };
        let (gradient, values) = (self.gradient, self.values);
        let mut parts = Vec::with_capacity(self.spans.len());
        for span in self.spans {
            let len = span.range.len();
            for within in self.threads.ranges(len, 16 * len) {
                let range = span.range.start + within.start..span.range.start + within.end;
                let [parameters, m, v, average] = next(&range);
                let gradient = &gradient[range.clone()];
                let values = if values.is_empty() { gradient } else { &values[range.clone()] };
                let Span { rate, weight_decay, .. } = *span;
                let first = range.start;
                parts.push(Part { first, parameters, m, v, average, gradient, values, rate, weight_decay });
            }
        }
        parts
    }
}

/// What `range` has of `all`, which begins at `at`, and what stands behind; of an average that nobody asked for nothing.
fn cut<'a>(all: &'a mut [f32], at: usize, range: &Range<usize>) -> [&'a mut [f32]; 2] {
    if all.is_empty() {
        return [&mut [], all];
    }
    let (mine, rest) = all[range.start - at..].split_at_mut(range.len());
    [mine, rest]
}

/// `clip(x, ±most)`; what is not finite stays as it is.
fn clipped(x: f32, most: f32) -> f32 {
    // Not `clamp`: its check of the bounds keeps the compiler from vectorizing.
    let clipped = if x.abs() > most { most.copysign(x) } else { x };
    if x.abs() == f32::INFINITY { x } else { clipped }
}

/// `min(1, most / sum)`; 0 where the sum is not finite.
fn factor(most: f64, sum: f64) -> f64 {
    match sum.is_finite() {
        false => 0.0,
        true if sum > most => most / sum,
        true => 1.0,
    }
}

struct Part<'a> {
    /// Where it begins in the flat layout.
    first: usize,
    parameters: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    /// The mean of the parameters, empty where there is none.
    average: &'a mut [f32],
    gradient: &'a [f32],
    /// v averages what comes of these. As long as the others even where unused.
    values: &'a [f32],
    /// As in [`Span`].
    rate: f32,
    weight_decay: f32,
}

impl Part<'_> {
    /// Its learning rate, and what is left of a parameter that decays.
    fn rates(&self, learning_rate: f32) -> (f32, f32) {
        let rate = f64::from(learning_rate) * f64::from(self.rate);
        (rate as f32, (1.0 - rate * f64::from(self.weight_decay)) as f32)
    }

    /// Calls `with` for each parameter p with m, v, gradient and value; returns whether all p and v are finite afterwards.
    fn sweep(&mut self, with: impl Fn(&mut f32, &mut f32, &mut f32, f32, f32)) -> bool {
        let Part { parameters, m, v, gradient, values, .. } = self;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                let moved = parameters.iter_mut().zip(m.iter_mut()).zip(v.iter_mut());
                // An integer and not a bool, so that the compiler vectorizes the loop.
                let mut nonfinite = 0;
                for (((p, m), v), (g, x)) in moved.zip(gradient.iter().zip(*values)) {
                    with(p, m, v, *g, *x);
                    nonfinite |= u32::from(!p.is_finite()) | u32::from(!v.is_finite());
                }
                nonfinite == 0
            },
        )
    }

    /// Calls `with` for each m, v, gradient and value, in order.
    fn sweep_moments(&mut self, mut with: impl FnMut(&mut f32, &mut f32, f32, f32)) {
        let moments = self.m.iter_mut().zip(self.v.iter_mut());
        for ((m, v), (g, x)) in moments.zip(self.gradient.iter().zip(self.values)) {
            with(m, v, *g, *x);
        }
    }

    /// `θ̄ ← κ θ̄ + (1 − κ) θ`, if there is a κ.
    fn add_to_average(&mut self, keep: Option<f32>) {
        let Some(keep) = keep else { return };
        let take = (1.0 - f64::from(keep)) as f32;
        self.average.iter_mut().zip(&*self.parameters).for_each(|(a, p)| *a = keep * *a + take * p);
    }
}

#[cfg(test)]
mod tests {
    use super::{update, update_spans};
    use crate::host::Threads;
    use crate::model::{Optimizer, OptimizerState, Rule, Span, Transition};

    /// Four steps, curvature on every other, are the reference's.
    #[test]
    fn steps_are_the_references() {
        let momentum = Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.1).weight_decay(0.01);
        let rules = [
            momentum,
            Optimizer::sgd(0.1),
            Optimizer::adam(0.1),
            Optimizer::ada_hesscale(0.1).weight_decay(0.1),
            Optimizer::ada_hesscale_gn(0.1),
            Optimizer::ada_hesscale(0.1).unlimited().eps(1e-2),
            Optimizer::ada_hesscale_abs(0.1).eps(1e-2).average(0.9),
            Optimizer::ada_hesscale_abs(0.1).root().clip_gradient(0.3).trust(10.0),
            Optimizer::sophia(0.1).weight_decay(0.1).clip_gradient_norm(5.0),
            Optimizer::sophia(0.1).trust(1e-3).average(0.5),
            Optimizer::adamw(0.1).trust(0.1).clip_update(0.5),
            Optimizer::adamw(0.1).clip_gradient(0.3),
            Optimizer::adam(0.1).clip_gradient_norm(5.0).trust(0.1).average(0.9),
            Optimizer::rmsprop(0.01).momentum(0.5).clip_gradient_norm(50.0),
            Optimizer::lion(0.01).average(0.9),
            Optimizer::obgd(1.0).transition(Transition { error: -3.0, first: false }),
            Optimizer::obgd(1e-6).kappa(0.5).weight_decay(0.1).clip_gradient_norm(5.0),
            Optimizer::adaptive_obgd(0.5).transition(Transition { error: 0.25, first: false }).average(0.9),
            Optimizer::adaptive_obgd(1e-6).transition(Transition { error: 2.0, first: true }),
            Optimizer::upgd(0.1).trace(0.5).noise(0.3).seed(7),
            Optimizer::upgd(0.1).noise(0.0).weight_decay(0.1).clip_update(0.2).average(0.9),
            Optimizer::upgd(0.1).trace(0.9).noise(1.0).clip_gradient_norm(5.0).clip_gradient(0.3),
        ];
        let len = 100_000;
        let number = |i: usize| ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
        let gradient: Vec<f32> = (0..len).map(number).collect();
        let diagonal: Vec<f32> = (0..len).map(|i| number(i + 13)).collect();
        let threads = Threads::new(3).unwrap();
        let span = |range, rate, weight_decay| Span { range, rate, weight_decay };
        for optimizer in rules {
            let apart =
                vec![span(7..30_000, 0.5, 0.2), span(50_000..50_003, 2.0, 0.0), span(60_000..len, 1.0, 0.1)];
            for spans in [vec![Span::new(0..len, &optimizer)], apart] {
                let (mut got, mut want) = (gradient.clone(), wide(&gradient));
                let (mut memory, mut expected) = (OptimizerState::new(len), OptimizerState::<f64>::new(len));
                for step in 0..4 {
                    let curvature: &[f32] = if step % 2 == 1 { &diagonal } else { &[] };
                    update_spans(&threads, &optimizer, &spans, &mut memory, &mut got, &gradient, curvature)
                        .unwrap();
                    expected
                        .step_spans(&optimizer, &spans, &mut want, &wide(&gradient), &wide(curvature))
                        .unwrap();
                }
                let close = |a: &[f32], b: &[f64]| {
                    a.len() == b.len()
                        && a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() <= 2e-6 * (1.0 + b.abs()))
                };
                assert!(
                    close(&got, &want) && close(&memory.m, &expected.m) && close(&memory.v, &expected.v),
                    "{optimizer:?}"
                );
                assert!(close(&memory.average, &expected.average), "{optimizer:?}");
                assert_eq!((memory.step, memory.curvature_steps), (expected.step, expected.curvature_steps));
                assert!(got.iter().zip(&gradient).any(|(a, b)| a != b), "{optimizer:?}");
                // What is in no span keeps its bits.
                let untouched = (0..len).filter(|i| !spans.iter().any(|span| span.range.contains(i)));
                assert!(
                    untouched
                        .into_iter()
                        .all(|i| got[i].to_bits() == gradient[i].to_bits() && memory.m[i] == 0.0)
                );
            }
        }
    }

    fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().map(|value| f64::from(*value)).collect()
    }

    #[test]
    fn spans_that_do_not_ascend_are_refused() {
        let sgd = Optimizer::sgd(0.1);
        let threads = Threads::new(1).unwrap();
        for ranges in [[0..3, 2..4], [2..4, 0..2], [0..2, 3..5]] {
            let spans = ranges.map(|range| Span::new(range, &sgd));
            let (mut memory, mut parameters) = (OptimizerState::new(4), vec![1.0; 4]);
            update_spans(&threads, &sgd, &spans, &mut memory, &mut parameters, &[1.0; 4], &[]).unwrap_err();
            assert_eq!((memory, parameters), (OptimizerState::new(4), vec![1.0; 4]));
        }
    }

    /// NaN and infinity anywhere in a gradient or a diagonal are told, and nothing else is: also where the parameter stays a
    /// number, for its second moment is infinite.
    #[test]
    fn what_is_not_finite_is_told() {
        let rules = [
            Optimizer::sgd(0.1),
            Optimizer::adam(0.1),
            Optimizer::ada_hesscale(0.1),
            Optimizer::ada_hesscale_gn(0.1).unlimited(),
            Optimizer::adam(0.1).clip_gradient(1e30).clip_update(0.1),
            Optimizer::adam(0.1).trust(0.1),
            Optimizer::rmsprop(0.1),
            Optimizer::upgd(0.1),
        ];
        let len = 50_001;
        for threads in [1, 3].map(|count| Threads::new(count).unwrap()) {
            for (optimizer, bad) in rules.into_iter().flat_map(|rule| {
                [0.0, f32::MAX / 1e20, 1e25, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
                    .map(|bad| (rule, bad))
            }) {
                for at in [0, 17, len - 1] {
                    let (mut memory, mut parameters) = (OptimizerState::new(len), vec![1.0; len]);
                    let (mut gradient, mut diagonal) = (vec![0.5; len], vec![-0.5; len]);
                    let reads = optimizer.rule.mode().has_diagonal();
                    if reads {
                        diagonal[at] = bad
                    } else {
                        gradient[at] = bad
                    }
                    let told =
                        update(&threads, &optimizer, &mut memory, &mut parameters, &gradient, &diagonal);
                    let squared = !matches!(optimizer.rule, Rule::Sgd { .. } | Rule::Upgd { .. });
                    let diverges = !bad.is_finite() || (squared && bad > 1e20);
                    assert_eq!(told.is_err(), diverges, "{optimizer:?} {bad}: {told:?}");
                    if diverges {
                        let what = "a parameter or what the optimiser keeps";
                        assert_eq!(told, Err(crate::Error::Diverged { what, step: Some(1) }));
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_change_nothing() {
        let (mut memory, mut parameters) = (OptimizerState::new(2), vec![1.0; 2]);
        let threads = Threads::new(1).unwrap();
        let adam = Optimizer::ada_hesscale(0.1);
        for (gradient, diagonal) in [(&[1.0; 3][..], &[1.0; 2][..]), (&[1.0; 2], &[1.0; 3])] {
            update(&threads, &adam, &mut memory, &mut parameters, gradient, diagonal).unwrap_err();
        }
        assert_eq!((memory, parameters), (OptimizerState::new(2), vec![1.0; 2]));
    }
}
