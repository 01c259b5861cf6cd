//! The tensors of a model that a file holds: parameters, and the fixed statistics of normalisations.

use crate::Result;
use crate::model::{BatchNorm, Layer, Model, NodeKind, Role};
use std::collections::BTreeMap;
use std::ops::Range;

/// One of them.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its layer's path: `3`, or `3.body.0` within a block.
    pub path: &'a str,
    pub layer: &'a Layer,
    /// As PyTorch has it.
    pub shape: Vec<usize>,
    pub place: Place<'a>,
}

#[derive(Debug)]
pub(super) enum Place<'a> {
    /// In the flat layout.
    Parameter(Role, Range<usize>),
    Mean(&'a BatchNorm),
    Variance(&'a BatchNorm),
}

impl<'a> Entry<'a> {
    /// All of a model, in its order; of each layer the weight, the bias, mean and variance.
    pub(super) fn all(model: &'a Model) -> Vec<Entry<'a>> {
        let mut all = Vec::new();
        for (index, node) in model.nodes().iter().enumerate() {
            let (NodeKind::Layer(layer), None) = (&node.kind, node.shares) else { continue };
            let mut push = |shape: &[usize], place| {
                all.push(Entry { path: &node.path, layer, shape: shape.to_vec(), place });
            };
            for parameter in
                [Role::Weight, Role::Bias].into_iter().filter_map(|role| model.parameter_of(index, role))
            {
                push(&parameter.shape, Place::Parameter(parameter.role, parameter.range()));
            }
            if let Layer::BatchNorm(norm) = layer {
                push(&[norm.mean.len()], Place::Mean(norm));
                push(&[norm.var.len()], Place::Variance(norm));
            }
        }
        all
    }

    /// The last part of its name.
    pub(super) fn part(&self) -> &'static str {
        match &self.place {
            Place::Parameter(role, _) => role.name(),
            Place::Mean(_) => "running_mean",
            Place::Variance(_) => "running_var",
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.path, self.part())
    }

    pub(super) fn read<'b>(&'b self, parameters: &'b [f32]) -> &'b [f32] {
        match &self.place {
            Place::Parameter(_, range) => &parameters[range.clone()],
            Place::Mean(norm) => &norm.mean,
            Place::Variance(norm) => &norm.var,
        }
    }

    /// Numbers of a file, if they can be its.
    pub(super) fn checked(&self, numbers: Vec<f32>) -> std::result::Result<Vec<f32>, String> {
        let negative = numbers.iter().position(|x| matches!(self.place, Place::Variance(_)) && *x < 0.0);
        match negative {
            Some(index) => Err(format!("is {} at element {index}, expected variances >= 0", numbers[index])),
            None => Ok(numbers),
        }
    }

    pub(super) fn write(&self, numbers: Vec<f32>, parameters: &mut [f32], statistics: &mut Statistics) {
        match &self.place {
            Place::Parameter(_, range) => parameters[range.clone()].copy_from_slice(&numbers),
            Place::Mean(_) => statistics.of(self.path).mean = Some(numbers),
            Place::Variance(_) => statistics.of(self.path).var = Some(numbers),
        }
    }
}

/// New means and variances, by the path of their layer.
#[derive(Debug, Default)]
pub(super) struct Statistics(BTreeMap<String, New>);

#[derive(Debug, Default)]
struct New {
    mean: Option<Vec<f32>>,
    var: Option<Vec<f32>>,
}

impl Statistics {
    fn of(&mut self, path: &str) -> &mut New {
        self.0.entry(path.to_owned()).or_default()
    }

    /// The model with these in place of its own.
    pub(super) fn renew(mut self, model: &Model) -> Result<Model> {
        let mut layers = model.layers().to_vec();
        self.put(&mut layers, "");
        Model::new(model.input_shape(), layers, model.loss().clone())
    }

    fn put(&mut self, layers: &mut [Layer], prefix: &str) {
        for (index, layer) in layers.iter_mut().enumerate() {
            let path = format!("{prefix}{index}");
            match layer {
                Layer::BatchNorm(norm) => {
                    let New { mean, var } = std::mem::take(self.of(&path));
                    norm.mean = mean.unwrap_or_else(|| std::mem::take(&mut norm.mean));
                    norm.var = var.unwrap_or_else(|| std::mem::take(&mut norm.var));
                }
                Layer::Residual { body, projection } => {
                    self.put(body, &format!("{path}.body."));
                    self.put(projection, &format!("{path}.projection."));
                }
                _ => {}
            }
        }
    }
}
