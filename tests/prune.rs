//! The example `prune`: what goes, and that it matters least by the criterion's own measure.
#![allow(dead_code)] // what only the example itself uses

#[path = "../examples/common/chart.rs"]
mod chart;
#[path = "../examples/common/mod.rs"]
mod common;
#[path = "../examples/prune/criterion.rs"]
mod criterion;
#[path = "../examples/prune/experiment.rs"]
mod experiment;
#[path = "../examples/prune/report.rs"]
mod report;

use common::arguments::Arguments;
use common::backend::{Backend, Device};
use common::starts::{self, Command};
use criterion::Criterion;
use experiment::{Experiment, SPARSITIES, pruned};
use hesscale::model::{Parameter, Role};
use hesscale::{Loss, Mode, Model};

/// Of the weights of both layers together the least; no bias.
#[test]
fn the_least_salient_weights_go() {
    let model = Model::builder([2]).dense(2).dense(1).loss(Loss::mse()).unwrap();
    let mut parameters = vec![0.0; model.flat_len()];
    let mut saliency = vec![0.0; model.flat_len()];
    let weights: Vec<usize> =
        model.parameters().iter().filter(|p| p.role == Role::Weight).flat_map(Parameter::range).collect();
    for parameter in model.parameters() {
        parameters[parameter.range()].fill(1.0);
    }
    for (index, value) in weights.iter().zip([5.0, -1.0, 3.0, 2.0, 0.5, 4.0]) {
        saliency[*index] = value;
    }
    let left = pruned(&model, &parameters, &saliency, 50);
    let kept: Vec<f32> = weights.iter().map(|index| left[*index]).collect();
    assert_eq!(kept, [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    assert_eq!(left.iter().sum::<f32>(), 3.0 + 3.0);
    assert_eq!(pruned(&model, &parameters, &saliency, 0), parameters);
}

/// Ten epochs: the network has learnt, a third of it can go, and all of it but a twentieth cannot. By curvature the loss rises less
/// than by magnitude.
#[test]
fn a_network_is_pruned() {
    let experiment = Experiment::new(Backend::Cpu, 10).unwrap();
    let outcomes = experiment.run(1).unwrap();
    assert_eq!(outcomes.len(), Criterion::ALL.len());
    let at = |percent: u32| SPARSITIES.iter().position(|known| *known == percent).unwrap();
    for outcome in &outcomes {
        let [whole, most, little] = [0, 30, 95].map(|percent| outcome.gradual[at(percent)]);
        assert_eq!(whole, outcome.at_once[at(0)]);
        assert!(whole.test_accuracy > 0.9, "{outcome:?}");
        assert!(most.test_accuracy > whole.test_accuracy - 0.05, "{outcome:?}");
        assert!(little.train_loss > 3.0 * whole.train_loss, "{outcome:?}");
    }
    let loss = |criterion| {
        outcomes.iter().find(|outcome| outcome.criterion == criterion).unwrap().gradual[at(70)].train_loss
    };
    assert!(loss(Criterion::Curvature(Mode::HesScaleR2)) < loss(Criterion::Magnitude));
    // Magnitudes do not change, so the stride does not matter.
    assert_eq!(outcomes[0].at_once, outcomes[0].gradual);
    let table = report::table(&outcomes);
    assert_eq!(table.lines().filter(|line| line.starts_with("½ |h| w², HesScale ")).count(), 4, "{table}");
    assert!(report::panels(&outcomes).iter().all(|panel| panel.curves.len() == Criterion::ALL.len()));
}

fn parse(line: &str) -> Result<Command, String> {
    starts::parse(Arguments::new(line.split_whitespace().map(str::to_owned)), 40)
}

#[test]
fn command_lines() {
    let Ok(Command::Run(options)) = parse("") else { panic!() };
    assert!(matches!((options.device, options.epochs, options.starts), (Device::Best, 40, 3)));
    let Ok(Command::Run(options)) = parse("--cpu --epochs 2 --starts=1") else { panic!() };
    assert!(matches!((options.device, options.epochs, options.starts), (Device::Cpu, 2, 1)));
    assert!(matches!(parse("--list"), Ok(Command::List)));
    assert!(matches!(parse("-h"), Ok(Command::Help)));
    assert_eq!(parse("--starts 0").unwrap_err(), "--starts must be a whole number of at least 1, not `0`");
    assert_eq!(parse("--seed 1").unwrap_err(), "unknown option `--seed`");
}
