//! Gradients and diagonals over a whole data set, and of each of its samples.

use super::engine::{Part, Task};
use super::{Dataset, Trainer};
use crate::memory::{product, room, zeros};
use crate::ops::loss::HostLoss;
use crate::{Error, Result};
use std::ops::Range;

impl Trainer {
    /// Gradient and, in a mode that has one, diagonal of the loss over all samples, each with its weight where the set has weights
    /// ([`Dataset::with_weights`]), in the flat layout; parameters, running statistics and what dropout will draw stay as they are, but
    /// [`Trainer::loss`] is then what the last batch adds to the loss of all. As [`Trainer::weighted_gradient`] on one batch of them all, but
    /// `batch` samples at a time: `Σ_n f w_n g_n`, f the factor that the loss reduces all samples by, w a sample's weight, g the gradient of
    /// its loss before reduction. So a mean divides by all samples, a weighted mean by all weights, and an ignored sample counts in the
    /// divisor as it does in one batch. Dropout drops as in training, and a batch normalisation by the statistics of the batch goes by
    /// those of each `batch` samples, so there the result depends on `batch`.
    ///
    /// On a GPU 64 batches at a time are added up in f32 where they are, then read back; what was read is added up in f64, as every batch
    /// is on the CPU.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0; [`Error::Length`], [`Error::NoRow`] and the targets' errors; [`Error::Device`].
    pub fn gradient_over(&mut self, data: &Dataset, batch: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        Error::check_batch(batch)?;
        self.looking(|trainer| trainer.sums_over(data, batch))
    }

    fn sums_over(&mut self, data: &Dataset, batch: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let samples = self.samples(data)?;
        let diagonal = if self.mode.has_diagonal() { self.model.flat_len() } else { 0 };
        let mut sums = [zeros("gradient", Some(self.model.flat_len()))?, zeros("diagonal", Some(diagonal))?];
        let shares = self.shares(data)?;
        let share = shares.iter().fold(f32::MIN_POSITIVE, |most, share| most.max(share.abs()));
        let most = self.engine.most_parts();
        for (index, at) in (0..samples).step_by(batch).enumerate() {
            let range = at..at.saturating_add(batch).min(samples);
            let is_last = range.end == samples;
            let (inputs, targets) = data.range(range.clone());
            let task = self.task(inputs, targets, Some(&shares[range]), true)?;
            let part = Some(Part { share, samples, first: index.is_multiple_of(most) });
            self.engine.pass(&Task { part, ..task })?;
            if (index + 1).is_multiple_of(most) || is_last {
                let (gradient, diagonal) = self.results()?;
                for (sums, part) in sums.iter_mut().zip([gradient, diagonal]) {
                    sums.iter_mut().zip(part).for_each(|(sum, x): (&mut f64, f32)| *sum += f64::from(x));
                }
            }
        }
        let [gradient, diagonal] = sums.map(|sums| sums.into_iter().map(|sum| sum as f32).collect());
        Ok((gradient, diagonal))
    }

    /// The diagonal of [`Trainer::gradient_over`].
    ///
    /// # Errors
    /// As [`Trainer::gradient_over`]; [`Error::NotPlanned`] in a mode without a diagonal.
    pub fn diagonal_over(&mut self, data: &Dataset, batch: usize) -> Result<Vec<f32>> {
        if !self.mode.has_diagonal() {
            return Err(Error::not_planned("a diagonal", "TrainerOptions::mode, a mode with a diagonal"));
        }
        Ok(self.gradient_over(data, batch)?.1)
    }

    /// Calls `act` with each sample's index, gradient and diagonal, in the flat layout: those of its own loss times its weight, a batch of
    /// one, so a mean divides by what one sample has, and of a weighted mean the sample's weight makes no difference, unless it is 0. The
    /// diagonal is empty in a mode without one.
    ///
    /// Costs a pass of batch 1 for each sample, and on a GPU a submission; what 64 samples leave, or as many as take 64 MiB, at least
    /// one, is read back together, for the waiting takes long. Memory: as many of each of both vectors.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NoRow`] and the targets' errors; [`Error::Device`]; what `act` returns;
    /// [`Error::Unsupported`] for a model with batch normalisation by the statistics of the batch, which samples share.
    pub fn each_sample(
        &mut self,
        data: &Dataset,
        act: impl FnMut(usize, &[f32], &[f32]) -> Result<()>,
    ) -> Result<()> {
        self.samples_of(data, 0..data.len(), act)
    }

    /// The gradients `[n, flat_len]` and, in a mode that has them, diagonals `[n, flat_len]` of the samples in `range`, row by row,
    /// as [`Trainer::each_sample`] has them, at its cost. The memory is the rows'; a large set is taken range by range.
    ///
    /// # Errors
    /// As [`Trainer::each_sample`]; [`Error::Unknown`] for samples that are not there; [`Error::Memory`].
    pub fn per_sample(&mut self, data: &Dataset, range: Range<usize>) -> Result<(Vec<f32>, Vec<f32>)> {
        if range.start > range.end || range.end > data.len() {
            let known = format!("0 to {}", data.len() - 1);
            return Err(Error::unknown("range of samples", format!("{range:?}"), known));
        }
        let len = product([range.len(), self.model.flat_len()]);
        let mut gradients = room("gradients", len)?;
        let mut diagonals = room("diagonals", if self.mode.has_diagonal() { len } else { Some(0) })?;
        self.samples_of(data, range, |_, gradient, diagonal| {
            gradients.extend_from_slice(gradient);
            diagonals.extend_from_slice(diagonal);
            Ok(())
        })?;
        Ok((gradients, diagonals))
    }

    /// `Σ_n g_n²` in the flat layout, `g_n` the gradient that [`Trainer::each_sample`] has of sample n: without weights the diagonal of N
    /// times the empirical Fisher matrix. At the cost of [`Trainer::each_sample`]; no gradient but the last is kept.
    ///
    /// # Errors
    /// As [`Trainer::each_sample`].
    pub fn squared_gradients(&mut self, data: &Dataset) -> Result<Vec<f32>> {
        let mut sums: Vec<f64> = zeros("squared gradients", Some(self.model.flat_len()))?;
        self.each_sample(data, |_, gradient, _| {
            sums.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(*g) * f64::from(*g));
            Ok(())
        })?;
        Ok(sums.into_iter().map(|sum| sum as f32).collect())
    }

    fn samples_of(
        &mut self,
        data: &Dataset,
        range: Range<usize>,
        mut act: impl FnMut(usize, &[f32], &[f32]) -> Result<()>,
    ) -> Result<()> {
        self.samples(data)?;
        if let Some(running) = self.model.running_statistics().first() {
            let kind = "a gradient of each sample: by the statistics of a batch there is none";
            return Err(Error::unsupported(&running.path, kind));
        }
        self.looking(|trainer| {
            let (most, len) = (trainer.engine.most_each(), trainer.model.flat_len());
            for first in range.clone().step_by(most) {
                let part = first..first.saturating_add(most).min(range.end);
                let task = |sample: usize| {
                    let (inputs, targets) = data.range(sample..sample + 1);
                    let weights = data.weights().map(|weights| &weights[sample..=sample]);
                    trainer.task(inputs, targets, weights, true)
                };
                let tasks = part.clone().map(task).collect::<Result<Vec<_>>>()?;
                let (gradients, diagonals) = trainer.engine.each(&tasks, trainer.mode.has_diagonal())?;
                let width = gradients.len() / tasks.len();
                for (sample, row) in part.zip((0..).step_by(width.max(1))) {
                    let diagonal = diagonals.get(row..row + len).unwrap_or_default();
                    act(sample, &gradients[row..row + len], diagonal)?;
                }
            }
            Ok(())
        })
    }

    /// What each sample has of the loss of all: its weight and the reduction.
    pub(super) fn shares(&self, data: &Dataset) -> Result<Vec<f32>> {
        let (samples, targets) = (data.len(), data.labels().targets());
        let weight = |sample: usize| data.weights().map_or(1.0, |weights| f64::from(weights[sample]));
        let host = HostLoss::new(self.model.loss(), self.model.output_shape());
        let factor = host.factor(samples, targets, weight);
        let mut shares: Vec<f32> = room("shares of samples", Some(samples))?;
        shares.extend((0..samples).map(|sample| (factor * weight(sample)) as f32));
        Ok(shares)
    }

    /// The number of samples, all of which are of this model.
    pub(super) fn samples(&self, data: &Dataset) -> Result<usize> {
        let samples = data.len();
        Error::check_length("inputs of a sample", data.inputs().len() / samples, self.model.inputs())?;
        self.model.check_inputs(data.inputs())?;
        self.model.check_targets(samples, data.labels().targets())?;
        Ok(samples)
    }
}
