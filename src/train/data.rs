//! Samples in memory: splitting, shuffling, batching.

use crate::model::{Loss, Targets};
use crate::{Error, Result};
use std::ops::Range;

/// What the samples of a [`Dataset`] are labelled with.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// One class index per sample; for models that classify every position of a sample, one per position, sample by sample.
    Classes(Vec<u32>),
    /// `[N, K]` values, row by row.
    Values(Vec<f32>),
}

impl Labels {
    /// As the loss takes them.
    pub fn targets(&self) -> Targets<'_> {
        match self {
            Labels::Classes(classes) => Targets::Classes(classes),
            Labels::Values(values) => Targets::Values(values),
        }
    }

    fn len(&self) -> usize {
        match self {
            Labels::Classes(classes) => classes.len(),
            Labels::Values(values) => values.len(),
        }
    }

    fn gather(&self, indices: &[usize], samples: usize) -> Labels {
        let width = self.len() / samples;
        match self {
            Labels::Classes(classes) => Labels::Classes(gather(classes, width, indices)),
            Labels::Values(values) => Labels::Values(gather(values, width, indices)),
        }
    }
}

/// Samples with their labels and, where it has them, their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    inputs: Vec<f32>,
    labels: Labels,
    weights: Option<Vec<f32>>,
    samples: usize,
}

impl Dataset {
    /// `inputs`: `[N, width]` row by row; `labels`: N rows of classes (a row is one class, or one for each position that a model
    /// classifies) or of values.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a width of zero or no samples; [`Error::Length`] if the lengths do not match.
    pub fn new(inputs: Vec<f32>, width: usize, labels: Labels) -> Result<Dataset> {
        if width == 0 || inputs.is_empty() {
            return Err(Error::zero_size("dataset", "the width or the number of samples"));
        }
        let samples = inputs.len() / width;
        if samples * width != inputs.len() {
            return Err(Error::length("dataset inputs", inputs.len(), inputs.len().next_multiple_of(width)));
        }
        if labels.len() == 0 || !labels.len().is_multiple_of(samples) {
            return Err(Error::length(
                "dataset labels",
                labels.len(),
                labels.len().max(1).next_multiple_of(samples),
            ));
        }
        Ok(Dataset { inputs, labels, weights: None, samples })
    }

    /// The same with a weight for each sample, of any sign, which goes with it into batches and parts:
    /// [`Trainer::evaluate`](super::Trainer::evaluate) and all that looks at gradients over a set
    /// ([`Trainer::gradient_over`](super::Trainer::gradient_over)) weigh by them; a step takes them as
    /// [`Trainer::weighted_step`](super::Trainer::weighted_step) does.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::Value`] for a weight that is not finite.
    pub fn with_weights(self, weights: Vec<f32>) -> Result<Dataset> {
        Loss::check_sample_weights(self.samples, &weights)?;
        Ok(Dataset { weights: Some(weights), ..self })
    }

    /// The samples' weights, if they have any.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// Number of samples.
    #[allow(clippy::len_without_is_empty)] // never empty: `new`, `gather` and `split` refuse that
    pub fn len(&self) -> usize {
        self.samples
    }

    /// All inputs.
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    pub(super) fn inputs_mut(&mut self) -> &mut [f32] {
        &mut self.inputs
    }

    /// All labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Inputs and targets of the samples in `range`, which must be valid.
    pub(super) fn range(&self, range: Range<usize>) -> (&[f32], Targets<'_>) {
        fn rows<T>(all: &[T], samples: usize, range: Range<usize>) -> &[T] {
            let width = all.len() / samples;
            &all[range.start * width..range.end * width]
        }
        let targets = match &self.labels {
            Labels::Classes(classes) => Targets::Classes(rows(classes, self.samples, range.clone())),
            Labels::Values(values) => Targets::Values(rows(values, self.samples, range.clone())),
        };
        (rows(&self.inputs, self.samples, range), targets)
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for no index; [`Error::Unknown`] for one that no sample has.
    pub fn gather(&self, indices: &[usize]) -> Result<Dataset> {
        if indices.is_empty() {
            return Err(Error::zero_size("dataset", "the number of samples"));
        }
        if let Some(index) = indices.iter().find(|index| **index >= self.samples) {
            return Err(Error::unknown("sample", index.to_string(), format!("0 to {}", self.samples - 1)));
        }
        Ok(self.rows(indices))
    }

    /// The samples at `indices`, which must be valid and at least one.
    fn rows(&self, indices: &[usize]) -> Dataset {
        Dataset {
            inputs: gather(&self.inputs, self.inputs.len() / self.samples, indices),
            labels: self.labels.gather(indices, self.samples),
            weights: self.weights.as_ref().map(|weights| gather(weights, 1, indices)),
            samples: indices.len(),
        }
    }

    /// Shuffles by `seed` and splits off a fraction `held_out` of the samples: returns the remaining part and that part.
    ///
    /// # Errors
    /// [`Error::Value`] unless both parts have at least one sample.
    pub fn split(&self, held_out: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        let count = (self.samples as f64 * held_out).round();
        if !(count >= 1.0 && count < self.samples as f64) {
            return Err(Error::value("dataset", "held_out", held_out, "such that both parts have a sample"));
        }
        let order = shuffled(self.samples, seed);
        let (held_out, kept) = order.split_at(count as usize);
        Ok((self.rows(kept), self.rows(held_out)))
    }

    /// One epoch: all samples in an order decided by `seed`, `batch` at a time; the last batch may be smaller.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0.
    pub fn batches(&self, batch: usize, seed: u64) -> Result<impl Iterator<Item = Dataset>> {
        Error::check_batch(batch)?;
        let order = shuffled(self.samples, seed);
        Ok((0..self.samples).step_by(batch).map(move |start| {
            let end = start.saturating_add(batch).min(self.samples);
            self.rows(&order[start..end])
        }))
    }

    /// Fraction of labels whose logit is the largest. Among equal logits the first counts; if any logit is NaN, the label is wrong.
    /// `logits` is `[N, classes]`, or `[N, classes, positions]`. Labels of the class `ignored` are left out
    /// ([`Loss::ignored`](crate::Loss::ignored)). 0 where all are, and where labels are numbers.
    ///
    /// # Errors
    /// [`Error::Length`] unless each label has as many logits as all others, and at least one;
    /// [`Error::TargetOutOfRange`] for a label that is no class.
    pub fn accuracy(&self, logits: &[f32], ignored: Option<u32>) -> Result<f64> {
        let labels = match &self.labels {
            Labels::Classes(classes) => classes.len(),
            Labels::Values(_) => self.samples,
        };
        if logits.is_empty() || !logits.len().is_multiple_of(labels) {
            return Err(Error::length("logits", logits.len(), logits.len().max(1).next_multiple_of(labels)));
        }
        let Labels::Classes(labels) = &self.labels else { return Ok(0.0) };
        let (positions, classes) = (labels.len() / self.samples, logits.len() / labels.len());
        let (mut right, mut counted) = (0, 0);
        for (index, class) in labels.iter().enumerate().filter(|(_, class)| Some(**class) != ignored) {
            if *class as usize >= classes {
                return Err(Error::TargetOutOfRange { index, class: i64::from(*class), classes });
            }
            let (sample, position) = (index / positions, index % positions);
            let sample = &logits[sample * classes * positions..][..classes * positions];
            let likeliest = first_largest(sample.iter().skip(position).step_by(positions));
            right += usize::from(likeliest == Some(*class as usize));
            counted += 1;
        }
        Ok(if counted == 0 { 0.0 } else { right as f64 / counted as f64 })
    }
}

/// The index of the largest value, the first among equals; `None` if any is NaN.
fn first_largest<'a>(mut numbers: impl Iterator<Item = &'a f32>) -> Option<usize> {
    let mut best = (0, *numbers.next()?);
    for (index, number) in (1..).zip(numbers) {
        if number.is_nan() {
            return None;
        }
        if *number > best.1 {
            best = (index, *number);
        }
    }
    (!best.1.is_nan()).then_some(best.0)
}

fn gather<T: Copy>(rows: &[T], width: usize, indices: &[usize]) -> Vec<T> {
    indices.iter().flat_map(|i| &rows[i * width..(i + 1) * width]).copied().collect()
}

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    order
}
