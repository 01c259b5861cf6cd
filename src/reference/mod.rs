//! The reference: forward, gradient and Hessian diagonals on the CPU, in plain loops, for any [`Real`].
//!
//! Tests compare the GPU and the CPU with this module in `f64`, and this module with vectors of an independent program
//! and with exact derivatives by dual numbers. It is written for reading, and no other part of the crate calls it.
//!
//! Backwards flows a signal `(g, h)`: the gradient `dL/da` and an estimate of the diagonal `d²L/da²` (HesScale: Elsayed &
//! Mahmood, 2022, arXiv 2210.11639). Each layer pushes it from its output to its input:
//!
//! | layer | g at the input | h at the input |
//! |---|---|---|
//! | linear map `z = A x + b`: dense, convolution and its transpose, average pooling, padding, upsampling, pixel shuffle,
//! concatenation, batch normalisation with fixed statistics, dropout's mask | `Aᵀ g` | `(A∘A)ᵀ h` |
//! | elementwise, `z = f(a)` | `f'(a) g` | `f'(a)² h + f''(a) g`; Gauss-Newton drops `f'' g` |
//! | encoding, `z_k = f_k(a)` | `Σ_k f_k' g_k` | `Σ_k (f_k'² h_k + f_k'' g_k)`; Gauss-Newton drops `f'' g` |
//! | layer, RMS and group normalisation, batch normalisation by the batch's statistics, Jacobian J | `Jᵀ g` | `(J∘J)ᵀ h + Σ_k g_k ∂²z_k/∂x_i²`; Gauss-Newton drops the
//! second sum. In closed form: `reference/layer/norm.rs` |
//! | PReLU, slope w | g above 0, else `w g` | h above 0, else `w² h` |
//! | max pooling | to the first maximum; windows that overlap add up | as g |
//! | flatten, identity | the same | the same |
//! | recurrent layers, a unit's step f of its gates' inputs and its state | by each input `f_x g` | `f_x² h + f_xx g`, without what two
//! inputs have in common; Gauss-Newton drops `f_xx g`: `reference/layer/recurrent.rs` |
//! | product `z = a b` of two values | at a: `b g` | at a: `b² h`, without what a and b have in common |
//! | a value that several nodes read | the sum over them | the sum over them, without cross terms |
//!
//! A weight's gradient is `Σ g x` over the batch and over the positions where it acts, its diagonal `Σ h x²`; a bias has
//! the sums of g and h. A normalisation's γ multiplies the normalised x, a slope of PReLU what of x is not above 0.
//!
//! HesScale-R carries the leading part of the loss's Hessian exactly, as vectors: `H = Σ u uᵀ + rest`, h the diagonal of
//! the rest. A vector passes through each layer as g does, and a parameter's diagonal is
//! `Σ_n [Σ_pos h x² + Σ_u (Σ_pos u x)²]`: contributions at a sample's positions add up before they are squared.

mod bound_model;
mod dual;
mod exact;
mod hutchinson;
mod layer;
mod loss;
mod optimizer;
mod policy;
mod real;
mod sampled;
mod signal;
mod softmax;
pub mod special;

pub use dual::Dual;
pub use exact::{exact_ggn_diagonal, exact_hessian_diagonal, hessian_vector_product};
pub use hutchinson::hutchinson_diagonal;
pub use layer::act::activation;
pub use loss::{loss_and_signal, weighted_loss_and_signal};
pub use real::Real;
pub use signal::Signal;

pub use crate::rules::OptimizerState;

use crate::memory::{product, room};
use crate::model::{Layer, Mode, Model, NodeKind, Noise, OutputSignal, Source, Targets, batch_of};
use crate::{Error, Result};
use bound_model::BoundModel;

/// What one forward and backward pass over a batch leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct PassOutput<T> {
    /// The loss, reduced over the batch; zero for a pass from a given signal.
    pub loss: T,
    /// The last layer's output, `[N, outputs]`.
    pub logits: Vec<T>,
    /// The gradient in the flat layout of [`Parameter::offset`](crate::model::Parameter::offset); gaps are zero.
    pub gradient: Vec<T>,
    /// The Hessian diagonal in the same layout; empty in [`Mode::None`].
    pub diagonal: Vec<T>,
    /// The signal at the output of each layer of [`Model::layers`].
    pub signals: Vec<Signal<T>>,
    /// The signal at the network's input.
    pub input_signal: Signal<T>,
}

/// One pass: `parameters` in the model's flat layout, `input` `[N, inputs]` row by row. Dropout and
/// HesScale-S draw from [`Noise::default`].
///
/// # Errors
/// [`Error::Length`] for parameters or input, [`Error::ZeroSize`] for an empty batch, [`Error::NoRow`] for an input that selects none,
/// and all of [`loss_and_signal`].
pub fn pass<T: Real>(
    model: &Model,
    mode: Mode,
    parameters: &[T],
    input: &[T],
    targets: Targets<'_>,
) -> Result<PassOutput<T>> {
    pass_with_noise(model, mode, parameters, input, targets, Noise::default())
}

/// The same with the random numbers that dropout and HesScale-S draw.
///
/// # Errors
/// As [`pass`].
pub fn pass_with_noise<T: Real>(
    model: &Model,
    mode: Mode,
    parameters: &[T],
    input: &[T],
    targets: Targets<'_>,
    noise: Noise,
) -> Result<PassOutput<T>> {
    weighted_pass(model, mode, parameters, input, targets, None, noise)
}

/// The same with a weight for each sample, of any sign.
///
/// # Errors
/// As [`pass`], and all of [`Model::check_sample_weights`].
pub fn weighted_pass<T: Real>(
    model: &Model,
    mode: Mode,
    parameters: &[T],
    input: &[T],
    targets: Targets<'_>,
    weights: Option<&[f32]>,
    noise: Noise,
) -> Result<PassOutput<T>> {
    pass_from(model, mode, parameters, input, noise, |logits| {
        weighted_loss_and_signal(model, mode, logits, targets, weights, noise)
    })
}

/// A pass from a signal at the outputs, which a caller had from the outputs of [`predict`], or of a pass with the same `noise`
/// before. The model's own loss, whichever it is, has no part in it.
///
/// # Errors
/// [`Error::Length`] for parameters, input or signal; [`Error::ZeroSize`] for an empty batch; [`Error::NoRow`].
pub fn pass_from_signal<T: Real>(
    model: &Model,
    mode: Mode,
    parameters: &[T],
    input: &[T],
    signal: OutputSignal<'_, T>,
    noise: Noise,
) -> Result<PassOutput<T>> {
    pass_from(model, mode, parameters, input, noise, |logits| {
        signal.check(mode, logits.len())?;
        let vectors = signal.u.iter().map(|u| u.to_vec()).collect();
        Ok((T::zero(), Signal::new(signal.g.to_vec(), signal.h.to_vec(), vectors)))
    })
}

/// A pass with the loss, and the signal at the logits, that `start` gives.
fn pass_from<T: Real>(
    model: &Model,
    mode: Mode,
    parameters: &[T],
    input: &[T],
    noise: Noise,
    start: impl FnOnce(&[T]) -> Result<(T, Signal<T>)>,
) -> Result<PassOutput<T>> {
    check(model, parameters, input)?;
    let network = BoundModel::training(model, parameters, noise, 0)?;
    let outputs = network.run(input);
    let logits = outputs.last().cloned().expect("a model has a layer");
    let (loss, start) = start(&logits)?;

    let signals = network.backpropagate(mode, input, &outputs, start, Source::Input);
    let (gradient, diagonal) = network.parameter_sums(mode, input, &outputs, &signals.nodes);
    let (input_signal, signals) = (signals.input, of_layers(model, &signals.nodes));
    Ok(PassOutput { loss, logits, gradient, diagonal, signals, input_signal })
}

/// The output `[N, size]` of every layer of [`Model::layers`], as the network predicts: dropout does nothing.
///
/// # Errors
/// [`Error::Length`] for parameters or input, [`Error::ZeroSize`] for an empty batch, [`Error::NoRow`] for an input that selects none.
pub fn forward<T: Real>(model: &Model, parameters: &[T], input: &[T]) -> Result<Vec<Vec<T>>> {
    check(model, parameters, input)?;
    Ok(of_layers(model, &BoundModel::inference(model, parameters)?.run(input)))
}

/// The running statistics that a training pass leaves in the place of `statistics`, in the layout of
/// [`RunningStatistics`](crate::model::RunningStatistics): see [`BatchNorm`](crate::model::BatchNorm).
///
/// # Errors
/// As [`pass`], and [`Error::Length`] for the statistics.
pub fn running_statistics<T: Real>(
    model: &Model,
    parameters: &[T],
    input: &[T],
    noise: Noise,
    statistics: &[T],
) -> Result<Vec<T>> {
    check(model, parameters, input)?;
    Error::check_length("statistics", statistics.len(), model.statistics_len())?;
    let network = BoundModel::training(model, parameters, noise, 0)?;
    let outputs = network.run(input);
    let mut statistics = statistics.to_vec();
    for running in model.running_statistics() {
        let NodeKind::Layer(Layer::BatchNorm(norm)) = &model.nodes()[running.node].kind else { continue };
        let momentum = T::from_f64(norm.momentum.unwrap_or(0.0));
        let moments = network.moments(running.node, input, &outputs);
        for (k, range) in [running.mean(), running.var()].into_iter().enumerate() {
            for (kept, moments) in statistics[range].iter_mut().zip(&moments) {
                *kept = *kept + momentum * (moments[k] - *kept);
            }
        }
    }
    Ok(statistics)
}

/// The last layer's output, `[N, outputs]`.
///
/// # Errors
/// As [`forward`].
pub fn predict<T: Real>(model: &Model, parameters: &[T], input: &[T]) -> Result<Vec<T>> {
    Ok(forward(model, parameters, input)?.pop().expect("a model has a layer"))
}

/// The entries of the nodes that end the top-level layers.
fn of_layers<V: Clone>(model: &Model, nodes: &[V]) -> Vec<V> {
    (0..model.layers().len()).map(|layer| nodes[model.end(layer)].clone()).collect()
}

fn check<T: Real>(model: &Model, parameters: &[T], input: &[T]) -> Result<()> {
    let (got, needed) = (parameters.len(), model.flat_len());
    Error::check_length("parameters", got, needed)?;
    let batch = batch_of("input", input.len(), model.inputs())?;
    model.check_rows(input, |x| x.value())?;
    // Asked for at once, before any of it is made.
    let numbers = model.nodes().iter().map(|node| node.shape.iter().product::<usize>());
    let numbers = numbers.fold(0_usize, usize::saturating_add);
    room::<T>("the layers' outputs", product([batch, numbers])).map(drop)
}
