//! Exact diagonals for small networks, by dual numbers over the reverse pass: no step size, no truncation.

use super::bound_model::BoundModel;
use super::layer::{Draw, Step, diagonal_sums};
use super::{Dual, Signal, check, loss_and_signal, pass};
use crate::model::{Mode, Model, Noise, Source, Targets, batch_of};
use crate::{Error, Result};

/// `H v` for the Hessian of the loss over all parameters; `v` and the result are in the flat layout.
///
/// The gradient is computed once in dual numbers with `v` as the parameters' slopes. As in [`pass`], dropout draws from
/// [`Noise::default`]; so it does in the other functions here.
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
    Error::check_length("v", v.len(), parameters.len())?;
    let along: Vec<_> =
        parameters.iter().zip(v).map(|(value, slope)| Dual { value: *value, slope: *slope }).collect();
    let gradient = pass(model, Mode::None, &along, &constants(input), targets)?.gradient;
    Ok(gradient.into_iter().map(|g| g.slope).collect())
}

/// The exact Hessian diagonal of the loss in the flat layout.
///
/// A parameter acts only through the output z of its layer, in which it is linear: its entry is `dᵀ H d`, with `d = dz/dθ`
/// and H the Hessian by z. One pass in dual numbers, z varied along d, gives `H d`. Convolutions and normalisations take
/// a pass for each parameter; a dense layer takes one for each unit unless there are statistics of the batch: samples do not meet
/// before the loss is summed, so with
/// z[·,o] varied in every sample at once an entry is `Σ_n x[n,i]² d²L/dz[n,o]²`. [`hessian_vector_product`] with a unit
/// vector gives the same, entry by entry; it is what parameters take that several layers share, and recurrent layers, which are not
/// linear in their weights.
///
/// # Errors
/// As [`pass`].
pub fn exact_hessian_diagonal(
    model: &Model,
    parameters: &[f64],
    input: &[f64],
    targets: Targets<'_>,
) -> Result<Vec<f64>> {
    check(model, parameters, input)?;
    let network = BoundModel::training(model, parameters, Noise::default(), 0)?;
    let outputs = network.run(input);
    let varied = constants(parameters);
    let varied = Varied {
        model,
        network: BoundModel::training(model, &varied, Noise::default(), 0)?,
        input: constants(input),
        outputs: outputs.iter().map(|output| constants(output)).collect(),
        targets,
    };

    let mut diagonal = vec![0.0; model.flat_len()];
    for (node, (step, z)) in network.steps.iter().zip(&outputs).enumerate() {
        let Some(map) = step.weighted() else { continue };
        let (spec, x) = (&model.nodes()[node], network.input_of(node, input, &outputs));
        if spec.shares.is_some() {
            continue;
        }
        if spec.used_again || !step.is_linear_in_parameters() {
            for k in model.parameters_of(node).flat_map(|index| model.parameters()[index].range()) {
                let mut unit = vec![0.0; model.flat_len()];
                unit[k] = 1.0;
                diagonal[k] = hessian_vector_product(model, parameters, input, targets, &unit)?[k];
            }
            continue;
        }
        if map.shared() || mixes_samples(model) {
            // What of z no parameter changes.
            let zeros = vec![0.0; model.flat_len()];
            let rest = Step::new(model, node, &zeros, DRAW)?.forward(&[x]);
            for k in model.parameters().iter().filter(|p| p.node == node).flat_map(|p| p.range()) {
                let mut unit = vec![0.0; model.flat_len()];
                unit[k] = 1.0;
                let mut direction = Step::new(model, node, &unit, DRAW)?.forward(&[x]);
                direction.iter_mut().zip(&rest).for_each(|(d, rest)| *d -= rest);
                let bent = varied.hessian_times(node, &direction)?;
                diagonal[k] = direction.iter().zip(bent).map(|(d, b)| d * b).sum();
            }
            continue;
        }
        let [_, width] = map.sizes();
        let mut h = vec![0.0; z.len()];
        for unit in 0..width {
            let mut direction = vec![0.0; z.len()];
            direction.iter_mut().skip(unit).step_by(width).for_each(|d| *d = 1.0);
            let bent = varied.hessian_times(node, &direction)?;
            h.iter_mut().zip(direction.iter().zip(bent)).for_each(|(h, (d, b))| *h += d * b);
        }
        let signal = Signal::new(vec![0.0; z.len()], h, Vec::new());
        network.place(node, diagonal_sums(map, x, &signal), &mut diagonal);
    }
    Ok(diagonal)
}

/// A network in dual numbers none of which vary yet.
struct Varied<'a> {
    model: &'a Model,
    network: BoundModel<'a, Dual<f64>>,
    input: Vec<Dual<f64>>,
    outputs: Vec<Vec<Dual<f64>>>,
    targets: Targets<'a>,
}

impl Varied<'_> {
    /// `H d`, H the Hessian of the loss by the output of `node`.
    fn hessian_times(&self, node: usize, direction: &[f64]) -> Result<Vec<f64>> {
        let mut outputs = self.outputs[..=node].to_vec();
        outputs[node].iter_mut().zip(direction).for_each(|(z, d)| z.slope = *d);
        let outputs = self.network.run_on(&self.input, outputs);
        let logits = &outputs[outputs.len() - 1];
        let (_, start) = loss_and_signal(self.model, Mode::None, logits, self.targets)?;
        let stop = Source::Node(node);
        let signals = self.network.backpropagate(Mode::None, &self.input, &outputs, start, stop);
        Ok(signals.nodes[node].g.iter().map(|g| g.slope).collect())
    }
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
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let values = BoundModel::training(model, parameters, Noise::default(), 0)?.run(input);
    let hessian = logit_hessians(model, &values[values.len() - 1], targets)?;

    let mut diagonal = vec![0.0; model.flat_len()];
    // Where samples meet, each one's logits depend on all.
    let mixed = mixes_samples(model);
    for n in 0..batch {
        let (x, first) = if mixed { (input, 0) } else { (&input[n * inputs..][..inputs], n) };
        let network = BoundModel::training(model, parameters, Noise::default(), first)?;
        let values = network.run(x);
        let row = |logit: usize| {
            let mut g = vec![0.0; x.len() / inputs * outputs];
            g[(n - first) * outputs + logit] = 1.0;
            let start = Signal::new(g, Vec::new(), Vec::new());
            let signals = network.backpropagate(Mode::None, x, &values, start, Source::Input);
            network.parameter_sums(Mode::None, x, &values, &signals.nodes).0
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

const DRAW: Option<Draw> = Some(Draw { noise: Noise { seed: 0, step: 0 }, first_sample: 0 });

/// Whether samples meet before the loss is summed: in statistics of the batch.
fn mixes_samples(model: &Model) -> bool {
    !model.running_statistics().is_empty()
}

fn constants(values: &[f64]) -> Vec<Dual<f64>> {
    values.iter().map(|x| Dual::constant(*x)).collect()
}
