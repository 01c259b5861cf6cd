//! Exact diagonals for small networks, by dual numbers over the reverse pass: no step size, no truncation.

use super::{
    Dual, Signal, backpropagate, batch_of, check, forward, loss_and_signal, parameter_sums, pass, run, steps,
};
use crate::model::{Mode, Model, Targets};
use crate::{Error, Result};

/// `H v` for the Hessian of the loss over all parameters; `v` and the result are in the flat layout.
///
/// The gradient is computed once in dual numbers with `v` as the parameters' slopes.
///
/// # Errors
/// As [`pass`], and [`Error::Length`] for `v`.
pub fn hessian_vector_product(
    model: &Model,
    parameters: &[f64],
    input: &[f64],
    targets: Targets<'_>,
    v: &[f64],
) -> Result<Vec<f64>> {
    if v.len() != parameters.len() {
        return Err(Error::Length { tensor: "v".into(), got: v.len(), needed: parameters.len() });
    }
    let along: Vec<_> =
        parameters.iter().zip(v).map(|(value, slope)| Dual { value: *value, slope: *slope }).collect();
    let gradient = pass(model, Mode::None, &along, &constants(input), targets)?.gradient;
    Ok(gradient.into_iter().map(|g| g.slope).collect())
}

/// The exact Hessian diagonal of the loss in the flat layout.
///
/// Samples do not meet before the loss is summed, and a dense weight acts only through its unit's `z = w·x + b`. So its
/// entry is `Σ_n x[n,i]² d²L/dz[n,o]²`, and one pass in dual numbers per unit, its z varied in every sample at once, gives
/// a whole row of weights and the bias. [`hessian_vector_product`] with a unit vector gives the same, entry by entry.
///
/// # Errors
/// As [`pass`].
pub fn exact_hessian_diagonal(
    model: &Model,
    parameters: &[f64],
    input: &[f64],
    targets: Targets<'_>,
) -> Result<Vec<f64>> {
    let outputs = forward(model, parameters, input)?;
    let varied = constants(parameters);
    let varied = steps(model, &varied);
    let mut signals = Vec::with_capacity(outputs.len());
    for (i, z) in outputs.iter().enumerate() {
        let (width, above) = (model.shape(i).iter().product::<usize>(), &varied[i + 1..]);
        let mut h = vec![0.0; z.len()];
        let has_parameters = model.parameters().iter().any(|p| p.layer == i);
        for unit in (0..width).filter(|_| has_parameters) {
            let mut z = constants(z);
            z.iter_mut().skip(unit).step_by(width).for_each(|z| z.slope = 1.0);
            let above_outputs = run(above, &z);
            let logits = above_outputs.last().unwrap_or(&z);
            let (_, start) = loss_and_signal(model, Mode::None, logits, targets)?;
            let signal = &backpropagate(above, Mode::None, &z, &above_outputs, start)[0];
            let rows = h.iter_mut().skip(unit).step_by(width);
            rows.zip(signal.g.iter().skip(unit).step_by(width)).for_each(|(h, g)| *h = g.slope);
        }
        signals.push(Signal::new(vec![0.0; z.len()], h, Vec::new()));
    }
    Ok(parameter_sums(model, &steps(model, parameters), input, &outputs, &signals).1)
}

/// The exact diagonal of the generalised Gauss-Newton matrix `Σ_n Jᵀ H J` in the flat layout: J is the Jacobian of the
/// sample's logits, H the whole Hessian of the loss at them (for a Gaussian with its cross terms of mean and variance).
///
/// J comes from one reverse pass per logit, H from the loss's gradient in dual numbers.
///
/// # Errors
/// As [`pass`].
pub fn exact_ggn_diagonal(
    model: &Model,
    parameters: &[f64],
    input: &[f64],
    targets: Targets<'_>,
) -> Result<Vec<f64>> {
    check(model, parameters, input)?;
    let batch = batch_of("input", input.len(), model.inputs())?;
    let steps = steps(model, parameters);
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let hessian = logit_hessians(model, &forward(model, parameters, input)?[steps.len() - 1], targets)?;

    let mut diagonal = vec![0.0; model.flat_len()];
    for n in 0..batch {
        let x = &input[n * inputs..][..inputs];
        let values = run(&steps, x);
        let row = |logit: usize| {
            let mut g = vec![0.0; outputs];
            g[logit] = 1.0;
            let start = Signal::new(g, Vec::new(), Vec::new());
            let signals = backpropagate(&steps, Mode::None, x, &values, start);
            parameter_sums(model, &steps, x, &values, &signals[1..]).0
        };
        let jacobian: Vec<Vec<f64>> = (0..outputs).map(row).collect();
        for (j, row) in jacobian.iter().enumerate() {
            for (k, other) in jacobian.iter().enumerate() {
                let h = hessian[j][n * outputs + k];
                diagonal.iter_mut().zip(row.iter().zip(other)).for_each(|(d, (a, b))| *d += h * a * b);
            }
        }
    }
    Ok(diagonal)
}

/// Row j of every sample's loss Hessian at its logits, as `[N, outputs]`: samples do not meet, so all vary at once.
fn logit_hessians(model: &Model, logits: &[f64], targets: Targets<'_>) -> Result<Vec<Vec<f64>>> {
    let row = |j: usize| {
        let mut z = constants(logits);
        z.iter_mut().skip(j).step_by(model.outputs()).for_each(|z| z.slope = 1.0);
        let (_, signal) = loss_and_signal(model, Mode::None, &z, targets)?;
        Ok(signal.g.into_iter().map(|g| g.slope).collect())
    };
    (0..model.outputs()).map(row).collect()
}

fn constants(values: &[f64]) -> Vec<Dual<f64>> {
    values.iter().map(|x| Dual::constant(*x)).collect()
}
