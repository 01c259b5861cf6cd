//! Where the running statistics of batch normalisations lie.

use super::parameters::aligned;
use super::{Layer, Model, Node, NodeKind};
use crate::{Error, Result};
use std::ops::Range;

/// Running mean and variance of one batch normalisation that trains by the statistics of its batches, in a flat layout of
/// their own: [`BatchNorm::momentum`](super::BatchNorm::momentum).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningStatistics {
    /// Its layer's path: `3`, or `3.body.0` within the block that is layer 3.
    pub path: String,
    pub(crate) node: usize,
    /// Numbers of the mean, and of the variance.
    pub channels: usize,
    /// Where the mean begins, a multiple of 64; behind it, at the next multiple, the variance.
    pub offset: usize,
}

impl RunningStatistics {
    /// Where the means lie.
    pub fn mean(&self) -> Range<usize> {
        self.offset..self.offset + self.channels
    }

    /// Where the variances lie.
    pub fn var(&self) -> Range<usize> {
        let first = self.offset + aligned(self.channels);
        first..first + self.channels
    }

    /// Their names, as PyTorch has them: `3.running_mean` and `3.running_var`.
    pub fn names(&self) -> [String; 2] {
        ["running_mean", "running_var"].map(|part| format!("{}.{part}", self.path))
    }

    /// All that belongs to it.
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset..self.offset + 2 * aligned(self.channels)
    }
}

pub(super) fn layout(nodes: &[Node]) -> Vec<RunningStatistics> {
    let (mut all, mut offset) = (Vec::new(), 0);
    for (node, spec) in nodes.iter().enumerate() {
        if let NodeKind::Layer(Layer::BatchNorm(norm)) = &spec.kind
            && norm.momentum.is_some()
        {
            let one = RunningStatistics { path: spec.path.clone(), node, channels: norm.mean.len(), offset };
            offset = one.range().end;
            all.push(one);
        }
    }
    all
}

impl Model {
    /// The batch normalisations with running statistics, in order; those with fixed ones are not among them.
    pub fn running_statistics(&self) -> &[RunningStatistics] {
        &self.running
    }

    /// Length of the flat layout in which running statistics lie: see [`RunningStatistics::offset`].
    pub fn statistics_len(&self) -> usize {
        self.running.last().map_or(0, |last| last.range().end)
    }

    /// The running statistics that training begins with, flat: the layers' own. The gaps hold zeros.
    pub fn statistics(&self) -> Vec<f32> {
        let mut flat = vec![0.0; self.statistics_len()];
        for running in &self.running {
            if let NodeKind::Layer(Layer::BatchNorm(norm)) = &self.nodes[running.node].kind {
                flat[running.mean()].copy_from_slice(&norm.mean);
                flat[running.var()].copy_from_slice(&norm.var);
            }
        }
        flat
    }

    /// The same network with these running statistics in its layers: what a trained network predicts by, for [`Model::to_wgsl`],
    /// for files of weights, and for a trainer to begin with.
    ///
    /// # Errors
    /// [`Error::Length`] unless they are [`Model::statistics_len`] numbers; [`Error::Value`] for such as no layer may have.
    pub fn with_statistics(&self, flat: &[f32]) -> Result<Model> {
        Error::check_length("statistics", flat.len(), self.statistics_len())?;
        let mut layers = self.layers.clone();
        let mut running = self.running.iter();
        renew(&mut layers, &mut |norm| {
            if let Some(running) = running.next() {
                norm.mean = flat[running.mean()].to_vec();
                norm.var = flat[running.var()].to_vec();
            }
        });
        Model::new(self.input.clone(), layers, self.loss.clone())
    }

    /// That these can be running statistics.
    ///
    /// # Errors
    /// [`Error::Length`] unless they are [`Model::statistics_len`] numbers; [`Error::Value`] for a number that is NaN or infinite, and
    /// for a variance below 0.
    pub fn check_statistics(&self, flat: &[f32]) -> Result<()> {
        Error::check_length("statistics", flat.len(), self.statistics_len())?;
        for running in &self.running {
            let first = |range: Range<usize>, least: f32| {
                flat[range].iter().find(|x| !(x.is_finite() && **x >= least)).map(|x| f64::from(*x))
            };
            let [mean, var] = running.names();
            if let Some(x) = first(running.mean(), f32::MIN) {
                return Err(Error::value(mean, "a mean", x, "finite"));
            }
            if let Some(x) = first(running.var(), 0.0) {
                return Err(Error::value(var, "a variance", x, "finite and >= 0"));
            }
        }
        Ok(())
    }

    pub(crate) fn running_of(&self, node: usize) -> Option<&RunningStatistics> {
        self.running.iter().find(|running| running.node == node)
    }
}

/// Calls `renew` for each batch normalisation with running statistics, in the order of the nodes.
fn renew(layers: &mut [Layer], each: &mut impl FnMut(&mut super::BatchNorm)) {
    for layer in layers {
        match layer {
            Layer::BatchNorm(norm) if norm.momentum.is_some() => each(norm),
            Layer::Residual { body, projection } => {
                renew(body, each);
                renew(projection, each);
            }
            _ => {}
        }
    }
}
