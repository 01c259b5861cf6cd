//! The example `reinforcement`: its tasks, what its policies send back, and that both ways of learning hold a pole up for longer.
#![allow(dead_code)] // what only the example itself uses

#[path = "../examples/reinforcement/cart_pole.rs"]
mod cart_pole;
#[path = "../examples/common/mod.rs"]
mod common;
#[path = "../examples/reinforcement/experiment.rs"]
mod experiment;
#[path = "../examples/reinforcement/pendulum.rs"]
mod pendulum;
#[path = "../examples/reinforcement/policy.rs"]
mod policy;
#[path = "../examples/reinforcement/ppo.rs"]
mod ppo;
#[path = "../examples/reinforcement/streaming.rs"]
mod streaming;
#[path = "../examples/reinforcement/task.rs"]
mod task;

use common::backend::{Backend, Device};
use experiment::{Learning, TRIALS, moments, recent, solved, train};
use fastrand::Rng;
use pendulum::Pendulum;
use policy::Policy;
use task::{End, Task};

/// Of `−a log π − e H`, in f64.
fn objective(policy: Policy, outputs: &[f64], action: &[f32], a: f64, e: f64) -> f64 {
    match policy {
        Policy::Softmax(_) => {
            let sum = outputs.iter().map(|z| z.exp()).sum::<f64>().ln();
            let entropy = outputs.iter().map(|z| (z - sum).exp() * (sum - z)).sum::<f64>();
            -a * (outputs[action[0] as usize] - sum) - e * entropy
        }
        Policy::Gaussian(len) => (0..len)
            .map(|k| {
                let (off, log_variance) = (f64::from(action[k]) - outputs[k], outputs[len + k]);
                let tau = std::f64::consts::TAU;
                let log = -0.5 * (off * off / log_variance.exp() + log_variance + tau.ln());
                -a * log - e * 0.5 * (log_variance + 1.0 + tau.ln())
            })
            .sum(),
    }
}

#[test]
fn signals_are_the_derivatives() {
    let step = 1e-4;
    for (policy, outputs, action) in [
        (Policy::Softmax(3), vec![0.5, -1.0, 2.0], vec![1.0]),
        (Policy::Gaussian(2), vec![0.5, -1.0, 0.25, -0.75], vec![-0.5, 1.5]),
    ] {
        for (a, e) in [(1.0, 0.0), (-2.0, 0.3), (0.0, -0.5)] {
            let (g, h) = policy.signal(&outputs, &action, a, e);
            let wide: Vec<f64> = outputs.iter().map(|x| f64::from(*x)).collect();
            for k in 0..outputs.len() {
                let at = |by: f64| {
                    let mut moved = wide.clone();
                    moved[k] += by;
                    objective(policy, &moved, &action, a.into(), e.into())
                };
                let first = (at(step) - at(-step)) / (2.0 * step);
                let second = (at(step) - 2.0 * at(0.0) + at(-step)) / (step * step);
                assert!((f64::from(g[k]) - first).abs() < 1e-5, "{policy:?} {k}: {} {first}", g[k]);
                assert!((f64::from(h[k]) - second).abs() < 1e-5, "{policy:?} {k}: {} {second}", h[k]);
            }
        }
        let log = policy.log_prob(&outputs, &action);
        let wide: Vec<f64> = outputs.iter().map(|x| f64::from(*x)).collect();
        assert!((f64::from(log) + objective(policy, &wide, &action, 1.0, 0.0)).abs() < 1e-5);
    }
}

#[test]
fn policies_draw_by_their_outputs() {
    let mut random = Rng::with_seed(2);
    let mut count = [0.0_f64; 3];
    let logits = [0.5_f32, 0.25, 0.25].map(f32::ln);
    (0..20_000).for_each(|_| count[Policy::Softmax(3).sample(&logits, &mut random)[0] as usize] += 1.0 / 2e4);
    assert!((count[0] - 0.5).abs() < 0.02 && (count[1] - 0.25).abs() < 0.02, "{count:?}");
    let outputs = [1.0, -2.0, 4.0_f32.ln(), 0.25_f32.ln()];
    let drawn: Vec<Vec<f32>> =
        (0..20_000).map(|_| Policy::Gaussian(2).sample(&outputs, &mut random)).collect();
    for (k, mean, deviation) in [(0, 1.0, 2.0), (1, -2.0, 0.5)] {
        let (m, d) = moments(&drawn.iter().map(|action| f64::from(action[k])).collect::<Vec<_>>());
        assert!((m - mean).abs() < 0.06 && (d - deviation).abs() < 0.06, "{m} {d}");
    }
}

/// Against Gymnasium's formulas by hand; episodes end when time is up.
#[test]
fn a_pendulum_swings() {
    let mut pendulum = Pendulum::new(3);
    let [cos, sin, speed] = pendulum.observation().map(f64::from);
    let (angle, torque) = (sin.atan2(cos), 1.5);
    let (reward, _) = pendulum.step(0.75);
    let cost = angle * angle + 0.1 * speed * speed + 0.001 * torque * torque;
    assert!((reward + cost).abs() < 1e-5, "{reward} {cost}");
    let speed = speed + (15.0 * sin + 3.0 * torque) * 0.05;
    let [cos, sin, turned] = pendulum.observation().map(f64::from);
    assert!((turned - speed).abs() < 1e-5);
    assert!((cos - (angle + 0.05 * speed).cos()).abs() < 1e-5);
    assert!((sin - (angle + 0.05 * speed).sin()).abs() < 1e-5);
    let steps = (2..).find(|_| pendulum.step(-9.0).1).unwrap();
    assert_eq!(steps, 200);
}

#[test]
fn a_mean_is_of_the_last_episodes() {
    let episodes: Vec<(usize, f64)> = (1..=30).map(|i| (10 * i, i as f64)).collect();
    assert_eq!((recent(&episodes, 199), recent(&episodes, 200)), (None, Some(10.5)));
    assert_eq!(recent(&episodes, 1_000), Some(20.5));
    assert_eq!(moments(&[1.0, 3.0]), (2.0, 2.0_f64.sqrt()));
    // With one of 0 less among them, the last hundred have a mean of 495.
    let episodes: Vec<(usize, f64)> =
        (1..=TRIALS + 5).map(|i| (i, if i > 5 { 500.0 } else { 0.0 })).collect();
    assert_eq!((solved(&episodes, 495.0), solved(&episodes, 500.0)), (Some(TRIALS + 4), Some(TRIALS + 5)));
    assert_eq!((solved(&episodes, 501.0), solved(&episodes[..TRIALS - 1], 0.0)), (None, None));
    let mut cart = Task::CartPole.world(1);
    let steps = (1..).find(|_| cart.step(&[0.0]).1 != End::No).unwrap();
    assert!((5..20).contains(&steps), "{steps}");
}

/// Each optimiser takes steps from a stream on both tasks, and episodes of the right return come of it.
#[test]
fn every_optimiser_steps_through_a_stream() {
    let backend = Backend::new(&Device::Cpu).unwrap();
    for (name, optimizer) in Learning::Streaming.methods() {
        let carts = train(&backend, Learning::Streaming, Task::CartPole, optimizer, 1, 400).unwrap();
        assert!(carts.iter().all(|(_, sum)| (1.0..=500.0).contains(sum)), "{name}");
        assert!(carts.iter().map(|(_, sum)| sum).sum::<f64>() <= 400.0 && !carts.is_empty());
        let swings = train(&backend, Learning::Streaming, Task::Pendulum, optimizer, 1, 400).unwrap();
        assert_eq!(swings.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [200, 400], "{name}");
        assert!(swings.iter().all(|(_, sum)| (-3_300.0..0.0).contains(sum)), "{name}");
    }
}

/// A pole that nobody has learnt to balance falls after some twenty steps.
#[test]
fn poles_stay_up_for_longer() {
    let backend = Backend::new(&Device::Cpu).unwrap();
    for (learning, names) in
        [(Learning::Ppo, ["Adam", "AdaHesScale"]), (Learning::Streaming, ["ObGD", "AdaHesScale"])]
    {
        for (name, optimizer) in learning.methods().into_iter().filter(|(name, _)| names.contains(name)) {
            let episodes = train(&backend, learning, Task::CartPole, optimizer, 1, 8_000).unwrap();
            let (before, after) = (recent(&episodes, 600).unwrap(), recent(&episodes, 8_000).unwrap());
            println!("{name}: {before} {after}");
            assert!(before < 40.0 && after > 70.0, "{name}: {before}, then {after}");
        }
    }
}
