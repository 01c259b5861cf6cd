use super::{Bound, Lie, compare, context, numbers, run};
use crate::model::{ClassTargets, Loss, Mode, Reduction};
use crate::ops::loss::{LossKernel, Reduce};
use crate::shader::Kernel;

/// Value, g and h of cross-entropy at every element of `[batch, classes, positions]`.
fn expected(
    logits: &[f64],
    [batch, classes, positions]: [usize; 3],
    factor: f64,
    target: impl Fn(usize, usize, usize) -> f64,
) -> [Vec<f64>; 3] {
    let mut values = vec![0.0; batch * positions];
    let (mut g, mut h) = (vec![0.0; logits.len()], vec![0.0; logits.len()]);
    for (sample, q) in (0..batch).flat_map(|sample| (0..positions).map(move |q| (sample, q))) {
        let at = |c: usize| (sample * classes + c) * positions + q;
        let sum: f64 = (0..classes).map(|c| logits[at(c)].exp()).sum();
        let mass: f64 = (0..classes).map(|c| target(sample, q, c)).sum();
        for c in 0..classes {
            let (p, y) = (logits[at(c)].exp() / sum, target(sample, q, c));
            values[sample * positions + q] -= factor * y * p.ln();
            g[at(c)] = factor * (mass * p - y);
            h[at(c)] = factor * mass * (p - p * p);
        }
    }
    [values, g, h]
}

#[test]
fn cross_entropy_at_every_position() {
    for sizes in [[1, 1, 1], [2, 3, 7], [3, 5, 1], [2, 70, 6]] {
        let [batch, classes, positions] = sizes;
        let lie = Lie::Rows { len: batch * classes * positions };
        let logits: Vec<f64> = numbers(1, lie.len()).into_iter().map(|z| 3.0 * z).collect();
        let rows = batch * positions;
        let weights: Vec<f64> = (0..classes).map(|c| 1.0 + c as f64 / 4.0).collect();
        let indices: Vec<u32> = (0..rows).map(|r| (r * 7 % classes) as u32).collect();
        let soft: Vec<f64> = numbers(2, lie.len()).into_iter().map(f64::abs).collect();
        for (targets, weighted, mode) in [
            (ClassTargets::ClassIndex, false, Mode::None),
            (ClassTargets::ClassIndex, true, Mode::HesScale),
            (ClassTargets::Soft, false, Mode::HesScaleGn),
        ] {
            let loss = Loss::SoftmaxCrossEntropy {
                targets,
                reduction: Reduction::Mean,
                class_weights: weighted.then(|| weights.iter().map(|w| *w as f32).collect()),
                label_smoothing: 0.0,
                ignore_index: None,
            };
            let plane = lie.plane();
            let kernel = LossKernel::new(
                context().class(),
                loss,
                mode,
                batch as u32,
                classes as u32,
                positions as u32,
                plane as u32,
            );
            let given = match targets {
                ClassTargets::ClassIndex => indices.clone(),
                ClassTargets::Soft => lie.store(&soft),
            };
            let mut bound = vec![
                Bound::Read(lie.store(&logits)),
                Bound::Read(given),
                Bound::Write(rows),
                Bound::Write(plane * mode.planes()),
            ];
            if weighted {
                bound.push(Bound::Read(Lie::Rows { len: classes }.store(&weights)));
            }
            let found = run(Kernel::from(kernel), &bound);
            let target = |sample: usize, q: usize, c: usize| match targets {
                ClassTargets::Soft => soft[(sample * classes + c) * positions + q],
                ClassTargets::ClassIndex if indices[sample * positions + q] as usize != c => 0.0,
                ClassTargets::ClassIndex if weighted => weights[c],
                ClassTargets::ClassIndex => 1.0,
            };
            let [values, g, h] = expected(&logits, sizes, 1.0 / rows as f64, target);
            compare("values", &Lie::Rows { len: rows }.load(&found[0]), &values);
            compare("g", &lie.load(&found[1][..lie.len()]), &g);
            if mode.has_diagonal() {
                compare("h", &lie.load(&found[1][plane..][..lie.len()]), &h);
            }
        }
    }
}

#[test]
fn losses_of_a_million_positions_add_up() {
    let n = 1_000_000;
    let values = numbers(3, n);
    let lie = Lie::Rows { len: n };
    let kernel = Kernel::from(Reduce::new(context().class(), n as u32, 1.0));
    let found = run(kernel, &[Bound::Read(lie.store(&values)), Bound::Write(1)]);
    compare("sum", &Lie::Rows { len: 1 }.load(&found[0]), &[values.iter().sum()]);
}

#[test]
fn every_mode_at_positions_is_as_at_samples() {
    let (classes, positions) = (70, 6);
    let logits = numbers(1, classes * positions);
    let turned: Vec<f64> = (0..logits.len()).map(|i| logits[i % classes * positions + i / classes]).collect();
    let (lie, rows) = (Lie::Rows { len: logits.len() }, Lie::Rows { len: positions });
    let targets: Vec<u32> = (0..positions as u32).collect();
    for mode in Mode::ALL {
        let planes = mode.planes();
        let signal = |batch: usize, positions: usize, logits: &[f64]| {
            let (targets, bound) = (targets.clone(), Bound::Write(rows.len()));
            let loss = Loss::SoftmaxCrossEntropy {
                targets: ClassTargets::ClassIndex,
                reduction: Reduction::Sum,
                class_weights: None,
                label_smoothing: 0.1,
                ignore_index: Some(2),
            };
            let [batch, outputs, positions] = [batch, classes, positions].map(|size| size as u32);
            let plane = lie.plane() as u32;
            let kernel = LossKernel::new(context().class(), loss, mode, batch, outputs, positions, plane);
            let bound = [
                Bound::Read(lie.store(logits)),
                Bound::Read(targets),
                bound,
                Bound::Write(planes * lie.plane()),
            ];
            run(Kernel::from(kernel), &bound).swap_remove(1)
        };
        let (one, other) = (signal(1, positions, &logits), signal(positions, 1, &turned));
        for (plane, i) in (0..planes).flat_map(|plane| (0..lie.len()).map(move |i| (plane, i))) {
            let turned = plane * lie.plane() + i % positions * classes + i / positions;
            assert_eq!(one[plane * lie.plane() + i], other[turned], "{} {plane} {i}", mode.name());
        }
    }
}
