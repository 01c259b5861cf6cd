//! The example `laplace`: its measures are right, and the posterior is.
#![allow(dead_code)] // what only the example itself uses

#[path = "../examples/laplace/calibration.rs"]
mod calibration;
#[path = "../examples/common/chart.rs"]
mod chart;
#[path = "../examples/common/mod.rs"]
mod common;
#[path = "../examples/laplace/experiment.rs"]
mod experiment;
#[path = "../examples/laplace/posterior.rs"]
mod posterior;
#[path = "../examples/laplace/report.rs"]
mod report;

use calibration::{Bin, Predictions};
use common::arguments::Arguments;
use common::backend::{Backend, Device};
use common::starts::{self, Command};
use experiment::Experiment;
use hesscale::train::{Dataset, Labels, TrainerOptions};
use hesscale::{Activation, Loss, Mode, Model, Optimizer};
use posterior::{Head, Seen};

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs().max(1e-3)
}

/// Two samples of confidence 0.9, one of which is right, and one of 0.6, which is.
#[test]
fn measures_by_hand() {
    let probabilities = vec![0.9, 0.1, 0.1, 0.9, 0.6, 0.4];
    let predictions = Predictions { probabilities, labels: vec![0, 0, 0] };
    let quality = predictions.quality();
    assert!(close(quality.accuracy, 2.0 / 3.0));
    assert!(close(quality.nll, -(0.9_f64.ln() + 0.1_f64.ln() + 0.6_f64.ln()) / 3.0));
    assert!(close(quality.ece, (2.0 * 0.4 + 0.4) / 3.0));
    let bins = predictions.bins(2);
    assert_eq!(bins[0], Bin::default());
    assert_eq!(bins[1].count, 3);
    let softmax = Predictions::of_logits([1000.0, 1000.0, 0.0, 3.0_f64.ln()], &[0, 1]);
    assert!([0.5, 0.5, 0.25, 0.75].iter().zip(&softmax.probabilities).all(|(a, b)| close(*b, *a)));
}

/// One dense layer, whose features are the inputs and whose Hessian is known: `h_kj = mean p_k (1 − p_k) x_j²`.
#[test]
fn the_posterior_by_hand() {
    let model = Model::builder([2]).act(Activation::Identity).dense(3).loss(Loss::cross_entropy()).unwrap();
    let options = TrainerOptions::default().mode(Mode::HesScale).seed(3);
    let mut trainer = Backend::Cpu.trainer(&model, Optimizer::sgd(0.1), options).unwrap();
    let x = [[0.5_f32, -1.0], [2.0, 0.25], [1.0, 1.0]];
    let data = Dataset::new(x.concat(), 2, Labels::Classes(vec![0, 2, 1])).unwrap();
    let seen = Seen::new(&Backend::Cpu, &mut trainer, &data).unwrap();
    let head = Head::new(&mut trainer, &data).unwrap();
    let plain = seen.predictions(1.0);
    let logits = trainer.predict(data.inputs()).unwrap();
    let tau = 0.7;
    let want: Vec<f64> = (0..9)
        .map(|index| {
            let (sample, class) = (index / 3, index % 3);
            let precision = |feature: &dyn Fn(usize) -> f64| {
                let each = (0..3).map(|n| {
                    let p = plain.probabilities[3 * n + class];
                    p * (1.0 - p) * feature(n) * feature(n)
                });
                each.sum::<f64>() + tau
            };
            let phi = x[sample].map(f64::from);
            let variance = phi[0] * phi[0] / precision(&|n| x[n][0].into())
                + phi[1] * phi[1] / precision(&|n| x[n][1].into())
                + 1.0 / precision(&|_| 1.0);
            f64::from(logits[index]) / (1.0 + std::f64::consts::PI / 8.0 * variance).sqrt()
        })
        .collect();
    let want = Predictions::of_logits(want, &[0, 2, 1]);
    let found = head.predictions(&seen, tau);
    assert!(
        want.probabilities.iter().zip(&found.probabilities).all(|(a, b)| close(*b, *a)),
        "{found:?} {want:?}"
    );
    // A prior that is sure of itself leaves the network as it is, one that is not leaves nothing.
    assert!(close(head.predictions(&seen, 1e9).nll(), plain.nll()));
    assert!(!close(head.predictions(&seen, 1e-9).nll(), plain.nll()));
    let body = Model::builder([2]).dense(3).act(Activation::Tanh).loss(Loss::mse()).unwrap();
    let options = TrainerOptions::default().mode(Mode::HesScale);
    let mut other = Backend::Cpu.trainer(&body, Optimizer::sgd(0.1), options).unwrap();
    let data = Dataset::new(x.concat(), 2, Labels::Values(vec![0.0; 9])).unwrap();
    assert!(Head::new(&mut other, &data).unwrap_err().to_string().contains("the last layer"));
}

/// A network that has learnt its few images by heart is too sure; the posterior is less so, and as often right.
#[test]
fn a_network_learns_doubt() {
    let experiment = Experiment::new(Backend::Cpu, 150).unwrap();
    let outcome = experiment.run(1).unwrap();
    let [plain, temperature, laplace] = outcome.qualities;
    for place in 0..2 {
        let accuracy = plain[place].accuracy;
        assert!((laplace[place].accuracy - accuracy).abs() < 0.02, "{:?}", outcome.qualities);
        assert_eq!(temperature[place].accuracy, accuracy);
        assert!(laplace[place].nll < plain[place].nll && laplace[place].ece < plain[place].ece);
    }
    assert!(plain[0].accuracy > 0.85 && plain[1].accuracy < plain[0].accuracy);
    let text = report::table(&outcome);
    assert!(text.contains("Laplace, last layer"), "{text}");
    assert_eq!(report::panels(&outcome).map(|panel| panel.curves.len()), [3, 4]);
}

fn parse(line: &str) -> Result<Command, String> {
    starts::parse(Arguments::new(line.split_whitespace().map(str::to_owned)), 300)
}

#[test]
fn command_lines() {
    let Ok(Command::Run(options)) = parse("") else { panic!() };
    assert!(matches!((options.device, options.epochs, options.starts), (Device::Best, 300, 3)));
    let Ok(Command::Run(options)) = parse("--cpu --epochs=5 --starts 2") else { panic!() };
    assert!(matches!((options.device, options.epochs, options.starts), (Device::Cpu, 5, 2)));
    assert!(matches!(parse("--list"), Ok(Command::List)));
    assert!(matches!(parse("--help"), Ok(Command::Help)));
    assert_eq!(parse("--prior 1").unwrap_err(), "unknown option `--prior`");
}
