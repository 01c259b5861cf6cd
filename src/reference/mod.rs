//! The referee: forward, gradient and Hessian diagonals on the CPU, in plain loops, for any [`Real`].
//!
//! Everything the GPU computes is checked against this module in `f64`, and this module against vectors of an independent
//! program and against exact derivatives by dual numbers. It is written for reading and knows nothing of GPUs.
//!
//! Backwards flows a signal `(g, h)`: the gradient `dL/da` and an estimate of the diagonal `d²L/da²` (HesScale: Elsayed &
//! Mahmood, 2022, arXiv 2210.11639). Each layer pushes it from its output to its input:
//!
//! | layer | g at the input | h at the input |
//! |---|---|---|
//! | dense, `z = W x + b` | `Wᵀ g` | `(W∘W)ᵀ h` |
//! | elementwise, `z = f(a)` | `f'(a) g` | `f'(a)² h + f''(a) g`; Gauss-Newton drops `f'' g` |
//! | flatten | the same | the same |
//!
//! A dense weight's gradient is `Σ_n g[n,o] x[n,i]`, its diagonal `Σ_n h[n,o] x[n,i]²`; a bias has the sums of g and h.
//!
//! HesScale-R carries the leading part of the loss's Hessian exactly, as vectors: `H = Σ u uᵀ + rest`, h the diagonal of
//! the rest. A vector passes through each layer as g does, and a dense parameter's diagonal is `Σ_n (h + Σ u²) x²`.

mod activation;
mod dual;
mod exact;
mod hutchinson;
mod layer;
mod loss;
mod optimizer;
mod real;
mod signal;
mod softmax;
pub mod special;

pub use activation::activation;
pub use dual::Dual;
pub use exact::{exact_ggn_diagonal, exact_hessian_diagonal, hessian_vector_product};
pub use hutchinson::hutchinson_diagonal;
pub use loss::loss_and_signal;
pub use optimizer::OptimizerState;
pub use real::Real;
pub use signal::Signal;

use crate::model::{Mode, Model, Parameter, Role, Targets};
use crate::{Error, Result};
use layer::{Step, Sums, steps};

/// What one forward and backward pass over a batch leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass<T> {
    /// The loss, reduced over the batch.
    pub loss: T,
    /// The last layer's output, `[N, outputs]`.
    pub logits: Vec<T>,
    /// The gradient in the flat layout of [`Parameter::offset`]; gaps are zero.
    pub gradient: Vec<T>,
    /// The Hessian diagonal in the same layout; empty in [`Mode::None`].
    pub diagonal: Vec<T>,
    /// The signal at the output of each layer.
    pub signals: Vec<Signal<T>>,
    /// The signal at the network's input.
    pub input_signal: Signal<T>,
}

/// One pass: `parameters` in the model's flat layout, `input` `[N, inputs]` row by row.
///
/// # Errors
/// [`Error::Length`] for parameters or input, [`Error::ZeroSize`] for an empty batch, and all of
/// [`Model::check_targets`].
pub fn pass<T: Real>(
    model: &Model,
    mode: Mode,
    parameters: &[T],
    input: &[T],
    targets: Targets<'_>,
) -> Result<Pass<T>> {
    check(model, parameters, input)?;
    let steps = steps(model, parameters);
    let outputs = run(&steps, input);
    let logits = last(input, &outputs).to_vec();
    let (loss, start) = loss_and_signal(model, mode, &logits, targets)?;

    let mut signals = backpropagate(&steps, mode, input, &outputs, start);
    let input_signal = signals.remove(0);
    let (gradient, diagonal) = parameter_sums(model, &steps, input, &outputs, &signals);
    Ok(Pass { loss, logits, gradient, diagonal, signals, input_signal })
}

/// The output `[N, size]` of every layer.
///
/// # Errors
/// [`Error::Length`] for parameters or input, [`Error::ZeroSize`] for an empty batch.
pub fn forward<T: Real>(model: &Model, parameters: &[T], input: &[T]) -> Result<Vec<Vec<T>>> {
    check(model, parameters, input)?;
    Ok(run(&steps(model, parameters), input))
}

/// The last layer's output, `[N, outputs]`.
///
/// # Errors
/// As [`forward`].
pub fn predict<T: Real>(model: &Model, parameters: &[T], input: &[T]) -> Result<Vec<T>> {
    Ok(forward(model, parameters, input)?.pop().unwrap_or_default())
}

fn check<T>(model: &Model, parameters: &[T], input: &[T]) -> Result<()> {
    let (got, needed) = (parameters.len(), model.flat_len());
    if got != needed {
        return Err(Error::Length { tensor: "parameters".into(), got, needed });
    }
    batch_of("input", input.len(), model.inputs()).map(|_| ())
}

/// How many rows of `width` there are in `len` elements.
fn batch_of(tensor: &str, len: usize, width: usize) -> Result<usize> {
    if len == 0 {
        return Err(Error::ZeroSize { place: "batch".into(), what: "the number of samples" });
    }
    if !len.is_multiple_of(width) {
        let needed = len.next_multiple_of(width);
        return Err(Error::Length { tensor: tensor.into(), got: len, needed });
    }
    Ok(len / width)
}

/// The outputs of consecutive layers.
fn run<T: Real>(steps: &[Step<'_, T>], input: &[T]) -> Vec<Vec<T>> {
    let mut outputs: Vec<Vec<T>> = Vec::with_capacity(steps.len());
    for step in steps {
        outputs.push(step.forward(last(input, &outputs)));
    }
    outputs
}

/// The last of the outputs, or the input where there is none.
fn last<'a, T>(input: &'a [T], outputs: &'a [Vec<T>]) -> &'a [T] {
    outputs.last().map_or(input, Vec::as_slice)
}

/// The signal at the input of consecutive layers, then at the output of each; `start` is the one at the last output.
fn backpropagate<T: Real>(
    steps: &[Step<'_, T>],
    mode: Mode,
    input: &[T],
    outputs: &[Vec<T>],
    start: Signal<T>,
) -> Vec<Signal<T>> {
    let mut backwards = vec![start];
    for (i, step) in steps.iter().enumerate().rev() {
        let x = last(input, &outputs[..i]);
        backwards.push(step.backward(mode, x, &backwards[backwards.len() - 1]));
    }
    backwards.reverse();
    backwards
}

/// Gradient and diagonal of every parameter in the flat layout; `signals` are those at the layers' outputs.
fn parameter_sums<T: Real>(
    model: &Model,
    steps: &[Step<'_, T>],
    input: &[T],
    outputs: &[Vec<T>],
    signals: &[Signal<T>],
) -> (Vec<T>, Vec<T>) {
    let zeros = || vec![T::zero(); model.flat_len()];
    let (mut gradient, mut diagonal) = (zeros(), Vec::new());
    if signals.last().is_some_and(|s| !s.h.is_empty()) {
        diagonal = zeros();
    }
    for (i, (step, signal)) in steps.iter().zip(signals).enumerate() {
        let Some((g, h)) = step.parameter_sums(last(input, &outputs[..i]), signal) else { continue };
        place(model, i, g, &mut gradient);
        if let Some(h) = h {
            place(model, i, h, &mut diagonal);
        }
    }
    (gradient, diagonal)
}

/// Writes the sums of layer `i` where its parameters lie.
fn place<T: Real>(model: &Model, i: usize, sums: Sums<T>, flat: &mut [T]) {
    for (role, sums) in [(Role::Weight, sums.weight), (Role::Bias, sums.bias)] {
        if let Some(range) = model.parameter(i, role).map(Parameter::range) {
            flat[range].copy_from_slice(&sums);
        }
    }
}
