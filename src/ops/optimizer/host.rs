//! Optimizer steps on the CPU, each one sweep over parameters and moments.

use crate::host::Threads;
use crate::model::{Optimizer, OptimizerState, Rule};
use crate::{Error, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The same as [`OptimizerState::step`], in one sweep shared out among threads.
///
/// # Errors
/// As [`OptimizerState::step`]. [`Error::Diverged`] if a parameter or a second moment is NaN or infinite after the step, which
/// has been taken.
pub fn update(
    threads: &Threads,
    optimizer: &Optimizer,
    memory: &mut OptimizerState<f32>,
    parameters: &mut [f32],
    gradient: &[f32],
    diagonal: &[f32],
) -> Result<()> {
    optimizer.validate()?;
    let len = memory.m.len();
    let reads_diagonal = optimizer.rule.mode().has_diagonal() && !diagonal.is_empty();
    let checked = [("parameters", parameters.len()), ("gradient", gradient.len()), ("v", memory.v.len())];
    for (tensor, got) in checked.into_iter().chain(reads_diagonal.then_some(("diagonal", diagonal.len()))) {
        Error::check_length(tensor, got, len)?;
    }
    memory.step = memory.step.saturating_add(1);
    let (rate, decay) = (f64::from(optimizer.learning_rate), f64::from(optimizer.weight_decay));
    let keep = (1.0 - rate * decay) as f32;
    // v averages the squares of these; empty on a step without curvature.
    let values = match optimizer.rule {
        Rule::Sgd { .. } => &[],
        Rule::Adam { .. } => gradient,
        _ if reads_diagonal => diagonal,
        _ => &[],
    };
    let averages = !values.is_empty();
    memory.curvature_steps = memory.curvature_steps.saturating_add(averages.into());
    let (step, curvature_steps) = (memory.step, memory.curvature_steps);
    let mut parts = parts(threads, memory, parameters, gradient);
    let diverged = AtomicBool::new(false);
    let tell = |finite: bool| diverged.fetch_or(!finite, Relaxed);
    match optimizer.rule {
        Rule::Sgd { momentum, nesterov } => {
            let rate = rate as f32;
            threads.each(parts, |part| {
                tell(part.sweep(|p, m, _, g, _| {
                    *m = momentum * *m + g;
                    let step = if nesterov { g + momentum * *m } else { *m };
                    *p = keep * *p - rate * step;
                }));
            });
        }
        Rule::Adam { beta1, beta2, eps }
        | Rule::AdaHesScale { beta1, beta2, eps }
        | Rule::AdaHesScaleGn { beta1, beta2, eps } => {
            let (take1, take2) = ((1.0 - f64::from(beta1)) as f32, (1.0 - f64::from(beta2)) as f32);
            // Bias corrections in f64: 1 − β₂ᵗ has few digits in f32. Before v has been seen nothing moves.
            let correction = |beta: f32, count: u64| 1.0 - f64::from(beta).powf(count as f64);
            let seen = curvature_steps > 0;
            let rate = if seen { (rate / correction(beta1, step)) as f32 } else { 0.0 };
            let scale = if seen { (1.0 / correction(beta2, curvature_steps)) as f32 } else { 0.0 };
            if averages {
                parts.iter_mut().for_each(|part| part.values = &values[part.range.clone()]);
            }
            threads.each(parts, |part| {
                tell(part.sweep(|p, m, v, g, x| {
                    *m = beta1 * *m + take1 * g;
                    if averages {
                        *v = beta2 * *v + take2 * (x * x);
                    }
                    *p = keep * *p - rate * *m / ((scale * *v).sqrt() + eps);
                }));
            });
        }
    }
    match diverged.into_inner() {
        false => Ok(()),
        true => Err(Error::Diverged { what: "a parameter or a second moment", step: Some(step) }),
    }
}

struct Part<'a> {
    range: Range<usize>,
    parameters: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    gradient: &'a [f32],
    /// v averages the squares of these. As long as the others even where unused.
    values: &'a [f32],
}

impl Part<'_> {
    /// Calls `with` for each parameter p with m, v, gradient and value; returns whether all p and v are finite afterwards.
    fn sweep(self, with: impl Fn(&mut f32, &mut f32, &mut f32, f32, f32)) -> bool {
        let Part { parameters, m, v, gradient, values, .. } = self;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                let moved = parameters.iter_mut().zip(m).zip(v);
                // An integer and not a bool, so that the compiler vectorizes the loop.
                let mut nonfinite = 0;
                for (((p, m), v), (g, x)) in moved.zip(gradient.iter().zip(values)) {
                    with(p, m, v, *g, *x);
                    nonfinite |= u32::from(!p.is_finite()) | u32::from(!v.is_finite());
                }
                nonfinite == 0
            },
        )
    }
}

/// One part for each thread that pays off.
fn parts<'a>(
    threads: &Threads,
    memory: &'a mut OptimizerState<f32>,
    parameters: &'a mut [f32],
    gradient: &'a [f32],
) -> Vec<Part<'a>> {
    let mut rest = (parameters, &mut memory.m[..], &mut memory.v[..]);
    let cut = |range: Range<usize>| {
        let (p, m, v) = std::mem::take(&mut rest);
        let ((p, p_rest), (m, m_rest)) = (p.split_at_mut(range.len()), m.split_at_mut(range.len()));
        let (v, v_rest) = v.split_at_mut(range.len());
        rest = (p_rest, m_rest, v_rest);
        let gradient = &gradient[range.clone()];
        Part { range, parameters: p, m, v, gradient, values: gradient }
    };
    threads.ranges(gradient.len(), 16 * gradient.len()).into_iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::update;
    use crate::host::Threads;
    use crate::model::{Optimizer, OptimizerState, Rule};

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
        ];
        let len = 100_000;
        let number = |i: usize| ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
        let gradient: Vec<f32> = (0..len).map(number).collect();
        let diagonal: Vec<f32> = (0..len).map(|i| number(i + 13)).collect();
        let threads = Threads::new(3).unwrap();
        for optimizer in rules {
            let (mut got, mut want) = (gradient.clone(), gradient.clone());
            let (mut memory, mut expected) = (OptimizerState::new(len), OptimizerState::new(len));
            for step in 0..4 {
                let curvature: &[f32] = if step % 2 == 1 { &diagonal } else { &[] };
                update(&threads, &optimizer, &mut memory, &mut got, &gradient, curvature).unwrap();
                expected.step(&optimizer, &mut want, &gradient, curvature).unwrap();
            }
            let close =
                |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * (1.0 + b.abs()));
            assert!(close(&got, &want) && close(&memory.m, &expected.m) && close(&memory.v, &expected.v));
            assert_eq!((memory.step, memory.curvature_steps), (expected.step, expected.curvature_steps));
            assert!(got.iter().zip(&gradient).any(|(a, b)| a != b), "{optimizer:?}");
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
            Optimizer::ada_hesscale_gn(0.1),
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
                    let squared = optimizer.rule != Optimizer::sgd(0.1).rule;
                    let diverges = !bad.is_finite() || (squared && bad > 1e20);
                    assert_eq!(told.is_err(), diverges, "{optimizer:?} {bad}: {told:?}");
                    if diverges {
                        let what = "a parameter or a second moment";
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
