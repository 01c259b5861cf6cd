//! Passes from a signal at the outputs that the caller has.

use crate::problem::{Problem, losses, mlp};
use hesscale::model::{Noise, OutputSignal, Targets};
use hesscale::reference::{Signal, loss_and_signal, pass, pass_from_signal};
use hesscale::{Activation, Error, Loss, Mode, Model};

fn parts(signal: &Signal<f64>) -> (&[f64], &[f64], Vec<&[f64]>) {
    let h = if signal.u.is_empty() { &signal.h } else { &signal.rest };
    (&signal.g, h, signal.u.iter().map(|u| &u[..]).collect())
}

/// From the signal of a loss it is the pass with that loss, to the last bit.
#[test]
fn the_signal_of_a_loss_gives_the_pass_with_that_loss() {
    for loss in losses(4) {
        let problem = Problem::new(mlp(&[3, 5, 4], Activation::Tanh, loss), 6, 3);
        let external = problem.model.clone().with_loss(Loss::external()).unwrap();
        for mode in Mode::ALL {
            let want = problem.pass(mode);
            let signal =
                loss_and_signal(&problem.model, mode, &want.logits, problem.targets.view()).unwrap().1;
            let (g, h, u) = parts(&signal);
            let signal = OutputSignal { g, h, u: &u };
            let Problem { parameters, input, .. } = &problem;
            let got = pass_from_signal(&external, mode, parameters, input, signal, Noise::default()).unwrap();
            assert_eq!(got.loss, 0.0);
            assert_eq!((got.logits, got.gradient, got.diagonal), (want.logits, want.gradient, want.diagonal));
            assert_eq!((got.signals, got.input_signal), (want.signals, want.input_signal));
        }
    }
}

/// Split at any layer, the signal at the input of what is behind is the signal at the outputs of what is before.
#[test]
fn two_networks_in_a_row_are_one() {
    let tanh = Activation::Tanh;
    let both = Model::builder([3]).dense(5).act(tanh).dense(4).act(tanh).dense(2).loss(Loss::mse()).unwrap();
    let problem = Problem::new(both, 6, 8);
    let before = Model::builder([3]).dense(5).act(tanh).loss(Loss::external()).unwrap();
    let behind = Model::builder([5]).dense(4).act(tanh).dense(2).loss(Loss::mse()).unwrap();
    let (mine, rest) = problem.parameters.split_at(before.flat_len());
    for mode in Mode::ALL {
        let want = problem.pass(mode);
        let zeros = vec![0.0; 6 * before.outputs()];
        let vectors = vec![&zeros[..]; mode.rank()];
        let h = if mode.has_diagonal() { &zeros[..] } else { &[] };
        let nothing = OutputSignal { g: &zeros, h, u: &vectors };
        let forward =
            pass_from_signal(&before, mode, mine, &problem.input, nothing, Noise::default()).unwrap();
        assert!(forward.gradient.iter().all(|g| *g == 0.0));
        let second = pass(&behind, mode, rest, &forward.logits, problem.targets.view()).unwrap();
        let (g, h, u) = parts(&second.input_signal);
        let signal = OutputSignal { g, h, u: &u };
        let first = pass_from_signal(&before, mode, mine, &problem.input, signal, Noise::default()).unwrap();
        assert_eq!([first.gradient, second.gradient].concat(), want.gradient);
        assert_eq!([first.diagonal, second.diagonal].concat(), want.diagonal);
        assert_eq!(first.input_signal, want.input_signal);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = mlp(&[3, 4], Activation::Tanh, Loss::external());
    let (parameters, input) = (vec![0.5; model.flat_len()], [0.1; 6]);
    let run = |mode, g: &[f64], h: &[f64], u: &[&[f64]]| {
        let signal = OutputSignal { g, h, u };
        pass_from_signal(&model, mode, &parameters, &input, signal, Noise::default()).map(drop)
    };
    let (eight, seven): (&[f64], &[f64]) = (&[0.0; 8], &[0.0; 7]);
    let length = |tensor: &str, got, needed| {
        Err(Error::Length { tensor: format!("{tensor} of the signal"), got, needed })
    };
    assert_eq!(run(Mode::None, seven, &[], &[]), length("g", 7, 8));
    assert_eq!(run(Mode::HesScale, eight, seven, &[]), length("h", 7, 8));
    let kind = |mode, needed: &str, got: &str| {
        Err(Error::SignalKind { mode, needed: needed.into(), got: got.into() })
    };
    assert_eq!(run(Mode::None, eight, eight, &[]), kind("none", "g alone", "g and h"));
    assert_eq!(run(Mode::HesScale, eight, &[], &[]), kind("hesscale", "g and h", "g alone"));
    assert_eq!(run(Mode::HesScale, eight, eight, &[eight]), kind("hesscale", "g and h", "g, h and 1 u"));
    assert_eq!(run(Mode::HesScaleR1, eight, eight, &[]), kind("hesscale_r1", "g, h and 1 u", "g and h"));
    assert_eq!(run(Mode::HesScaleR2, eight, eight, &[seven, &[0.0; 9]]), length("one u", 7, 8));
    assert_eq!(run(Mode::HesScaleR2, eight, eight, &[eight; 2]), Ok(()));
    // It has no value, and takes no targets.
    let kind = |got| Error::TargetKind { needed: "no", got };
    let values = loss_and_signal(&model, Mode::None, &[0.0; 8], Targets::Values(&[0.0; 8])).map(drop);
    assert_eq!(values, Err(kind("numeric")));
    assert_eq!(
        pass(&model, Mode::None, &parameters, &input, Targets::Classes(&[])).map(drop),
        Err(kind("class-index"))
    );
}
