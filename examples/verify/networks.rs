//! Networks in every mode against the reference, with all signals kept and without.

use crate::Job;
use crate::check::{Check, Gathered};
use crate::gpu::{run, ways};
use crate::problem::{Problem, mlp};
use hesscale::model::Variance;
use hesscale::{Activation, Context, Error, Loss, Mode, Model, Result};

/// Sizes around the edges of tiles and workgroups.
const EDGES: [usize; 6] = [1, 3, 33, 64, 65, 129];
const BATCHES: [usize; 3] = [1, 37, 131];

/// A row: one network in every mode.
pub(crate) fn job(name: impl Into<String>, batch: usize, model: impl Fn() -> Result<Model> + 'static) -> Job {
    Job::new(name, move |context, check| every_mode(context, check, &Problem::random(model()?, batch)))
}

fn every_mode(context: &Context, check: &mut Check, problem: &Problem) -> Gathered {
    for mode in Mode::ALL.into_iter().chain([Mode::Fisher, Mode::HesScaleS1, Mode::HesScaleS2]) {
        let want = match problem.reference(mode) {
            // This mode has no rule for this loss; the tests check that the GPU refuses it too.
            Err(Error::Unsupported { .. }) => continue,
            want => want?,
        };
        for options in ways(problem, mode) {
            run(context, problem, options)?.compare(check, problem, mode, &want);
        }
    }
    Ok(())
}

/// Each activation between dense layers, where it is fused, and under the loss.
pub(crate) fn activations() -> Vec<Job> {
    let name = |activation: Activation| format!("9-33-17-5 {}, batch 37", activation.name());
    let model = |activation| move || mlp(&[9, 33, 17, 5], activation, Loss::cross_entropy());
    Activation::ALL.map(|activation| job(name(activation), 37, model(activation))).into()
}

/// Each loss with each option that changes its formula.
pub(crate) fn losses() -> Vec<Job> {
    let weights: Vec<f32> = (0..6).map(|class| 0.25 * class as f32).collect();
    let classes = Loss::cross_entropy;
    let weighted = || classes().class_weights(weights.clone());
    let cross_entropies = [
        ("cross-entropy, classes, mean", classes()),
        ("cross-entropy, classes, sum", classes().sum()),
        ("cross-entropy, class weights", weighted()),
        ("cross-entropy, label smoothing", classes().label_smoothing(0.1)),
        ("cross-entropy, ignored class", classes().ignore_index(1)),
        ("cross-entropy, weights, smoothing, ignored", weighted().label_smoothing(0.3).ignore_index(2).sum()),
        ("cross-entropy, soft targets", classes().soft()),
        ("cross-entropy, soft, weights, smoothing", weighted().soft().label_smoothing(0.3).sum()),
    ];
    let others = [
        ("mse, mean", Loss::mse()),
        ("mse, sum", Loss::mse().sum()),
        ("bce with logits, mean", Loss::bce_with_logits()),
        ("bce with logits, sum", Loss::bce_with_logits().sum()),
        ("gaussian nll, log, mean", Loss::gaussian_nll(Variance::Log)),
        ("gaussian nll, softplus, sum", Loss::gaussian_nll(Variance::Softplus).sum()),
        ("huber, mean", Loss::huber(0.5)),
        ("l1, mean", Loss::l1()),
        ("relative mse, mean", Loss::relative_mse(0.05)),
        ("bce with logits, positive weights", Loss::bce_with_pos_weight([0.5, 1.0, 2.0, 3.0, 5.0, 8.0])),
        ("cross-entropy, weighted mean", weighted().ignore_index(1).weighted_mean().into()),
        ("ppo over actions, entropy bonus", Loss::ppo_discrete(0.2, 0.05)),
        ("ppo over gaussians, entropy bonus", Loss::ppo_gaussian(0.2, 0.05)),
    ];
    let losses = cross_entropies.map(|(name, loss)| (name, Loss::from(loss))).into_iter().chain(others);
    let row =
        |(name, loss): (&str, Loss)| job(name, 37, move || mlp(&[9, 17, 6], Activation::Tanh, loss.clone()));
    losses.map(row).collect()
}

/// Softmax over many numbers of classes.
pub(crate) fn classes() -> Vec<Job> {
    let row = |classes: usize| {
        let name = format!("cross-entropy over {classes} classes, batch 37");
        job(name, 37, move || mlp(&[5, classes], Activation::Tanh, Loss::cross_entropy()))
    };
    EDGES.into_iter().chain([257, 1000]).map(row).collect()
}

/// Each size at an edge with each batch.
pub(crate) fn sizes() -> Vec<Job> {
    let mut jobs = Vec::new();
    for (i, size) in EDGES.into_iter().enumerate() {
        for (j, batch) in BATCHES.into_iter().enumerate() {
            let (hidden, out) = (EDGES[(i + j + 1) % EDGES.len()], EDGES[(i + 2 * j + 3) % EDGES.len()]);
            let name = format!("{size}-{hidden}-{out} tanh mse, batch {batch}");
            jobs.push(job(name, batch, move || mlp(&[size, hidden, out], Activation::Tanh, Loss::mse())));
        }
    }
    jobs
}

/// Layers in unusual orders.
pub(crate) fn shapes() -> Vec<Job> {
    let (tanh, silu, softplus) = (Activation::Tanh, Activation::Silu, Activation::Softplus);
    let dense_dense = move || Model::builder([8]).dense(19).dense(11).act(tanh).dense(4).loss(Loss::mse());
    let acts = move || {
        let body = Model::builder([8]).act(silu).dense(19).act(tanh).act(softplus).dense_no_bias(4);
        body.act(silu).loss(Loss::mse())
    };
    let deep = move || mlp(&[16, 32, 32, 32, 32, 32, 32, 10], tanh, Loss::cross_entropy());
    vec![
        job("dense after dense", 37, dense_dense),
        job("activations first, in a row, and last; no bias", 37, acts),
        job("16-32x6-10 tanh, batch 37", 37, deep),
        job("64-128-64-10 relu, batch 131", 131, || {
            mlp(&[64, 128, 64, 10], Activation::Relu, Loss::cross_entropy())
        }),
    ]
}
