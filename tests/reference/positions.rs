//! Losses on outputs with positions: `[C, height, width]`.

use crate::common::golden::OwnedTargets;
use crate::common::relative_max_norm;
use crate::problem::{Problem, losses};
use hesscale::model::{Conv2d, Reduction};
use hesscale::reference::{exact_ggn_diagonal, loss_and_signal};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model};

/// A network that is nothing but its loss.
fn only(loss: impl Into<Loss>, shape: &[usize]) -> Model {
    Model::new(shape, vec![Layer::Identity], loss).unwrap()
}

/// `[N, C, positions]` as `[N, positions, C]`.
fn by_position<T: Copy>(values: &[T], classes: usize, positions: usize) -> Vec<T> {
    let place = |i: usize| (i / (classes * positions), i / classes % positions, i % classes);
    (0..values.len()).map(place).map(|(n, q, c)| values[(n * classes + c) * positions + q]).collect()
}

/// A cross-entropy at each position equals that of the same number of samples.
#[test]
fn positions_are_samples_of_their_own() {
    let (classes, positions, batch) = (4, 6, 3);
    for loss in losses(classes).into_iter().filter(|l| matches!(l, Loss::SoftmaxCrossEntropy { .. })) {
        let image = Problem::new(only(loss.clone(), &[classes, 2, 3]), batch, 3);
        let logits = by_position(&image.input, classes, positions);
        let targets = match &image.targets {
            OwnedTargets::Classes(classes) => OwnedTargets::Classes(classes.clone()),
            OwnedTargets::Values(values) => OwnedTargets::Values(by_position(values, classes, positions)),
        };
        let points = only(loss, &[classes]);
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleGn, Mode::Bl89] {
            let (got_value, got) =
                loss_and_signal(&image.model, mode, &image.input, image.targets.view()).unwrap();
            let (value, want) = loss_and_signal(&points, mode, &logits, targets.view()).unwrap();
            assert!((got_value / value - 1.0).abs() < 1e-14);
            assert!(relative_max_norm(&by_position(&got.g, classes, positions), &want.g) < 1e-15);
            assert!(relative_max_norm(&by_position(&got.h, classes, positions), &want.h) < 1e-15);
        }
    }
}

#[test]
fn low_rank_is_refused_where_positions_are_independent() {
    let problem = Problem::new(only(Loss::cross_entropy(), &[3, 4, 3]), 2, 1);
    for (mode, name) in [(Mode::HesScaleR1, "hesscale_r1"), (Mode::HesScaleR2, "hesscale_r2")] {
        let error =
            loss_and_signal(&problem.model, mode, &problem.input, problem.targets.view()).unwrap_err();
        let kind = format!("{name} with a cross-entropy at each of 12 positions");
        assert_eq!(error, Error::Unsupported { layer: "loss".into(), kind });
    }
    // One position, or a loss that is a sum over logits, is no obstacle.
    let single = Problem::new(only(Loss::cross_entropy(), &[3, 1, 1]), 2, 1);
    let flat = Problem::new(only(Loss::cross_entropy(), &[3]), 2, 1);
    assert_eq!(single.pass(Mode::HesScaleR2).input_signal, flat.pass(Mode::HesScaleR2).input_signal);
    assert_eq!(
        Problem::new(only(Loss::mse(), &[3, 4, 3]), 2, 1).pass(Mode::HesScaleR2).input_signal.u.len(),
        2
    );
}

#[test]
fn classes_are_counted_at_each_position() {
    let model = only(Loss::cross_entropy(), &[3, 2, 2]);
    let error = |targets: Vec<u32>| {
        loss_and_signal(&model, Mode::None, &[0.0; 12], OwnedTargets::Classes(targets).view()).unwrap_err()
    };
    assert_eq!(error(vec![0]), Error::Length { tensor: "targets".into(), got: 1, needed: 4 });
    assert_eq!(error(vec![0, 2, 3, 0]), Error::TargetOutOfRange { index: 2, class: 3, classes: 3 });
}

#[test]
fn sums_over_logits_do_not_see_the_shape() {
    for reduction in [Reduction::Mean, Reduction::Sum] {
        for loss in [Loss::Mse { reduction }, Loss::BceWithLogits { reduction, pos_weight: None }] {
            let image = Problem::new(only(loss.clone(), &[2, 3, 4]), 3, 1);
            let flat = Problem::new(only(loss, &[24]), 3, 1);
            for mode in Mode::ALL {
                assert_eq!(image.pass(mode), flat.pass(mode));
            }
        }
    }
}

/// The network is linear in its parameters, so the GGN is the Hessian; both see the softmax of each position.
#[test]
fn exact_diagonals_of_a_segmentation() {
    for loss in losses(3).into_iter().filter(|l| matches!(l, Loss::SoftmaxCrossEntropy { .. })) {
        let builder =
            Model::builder([2, 3, 4]).act(Activation::Sin { frequency: 1.0 }).layer(Conv2d::new(3, 2).same());
        let problem = Problem::new(builder.loss(loss).unwrap(), 2, 5);
        let Problem { model, parameters, input, targets } = &problem;
        let ggn = exact_ggn_diagonal(model, parameters, input, targets.view()).unwrap();
        assert!(relative_max_norm(&ggn, &problem.exact()) < 1e-13);
    }
}
