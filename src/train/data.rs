//! Samples in memory: split, shuffled, cut into batches.

use crate::model::Targets;
use crate::{Error, Result};

/// What the samples of a [`Dataset`] are labelled with.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// One class index each.
    Classes(Vec<u32>),
    /// `[N, K]` numbers, row by row.
    Values(Vec<f32>),
}

impl Labels {
    /// As the loss takes them.
    #[must_use]
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
        match self {
            Labels::Classes(classes) => Labels::Classes(indices.iter().map(|i| classes[*i]).collect()),
            Labels::Values(values) => Labels::Values(gather(values, values.len() / samples, indices)),
        }
    }
}

/// Samples with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    inputs: Vec<f32>,
    labels: Labels,
    samples: usize,
}

impl Dataset {
    /// `inputs`: `[N, width]` row by row; `labels`: N classes, or N rows of numbers.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a width of zero or no samples; [`Error::Length`] where the lengths do not fit together.
    pub fn new(inputs: Vec<f32>, width: usize, labels: Labels) -> Result<Dataset> {
        if width == 0 || inputs.is_empty() {
            return Err(Error::ZeroSize {
                place: "dataset".into(),
                what: "the width or the number of samples",
            });
        }
        let samples = inputs.len() / width;
        if samples * width != inputs.len() {
            let needed = inputs.len().next_multiple_of(width);
            return Err(Error::Length { tensor: "dataset inputs".into(), got: inputs.len(), needed });
        }
        let fits = match labels {
            Labels::Classes(_) => labels.len() == samples,
            Labels::Values(_) => labels.len() > 0 && labels.len().is_multiple_of(samples),
        };
        if !fits {
            return Err(Error::Length {
                tensor: "dataset labels".into(),
                got: labels.len(),
                needed: samples,
            });
        }
        Ok(Dataset { inputs, labels, samples })
    }

    /// Number of samples.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.samples
    }

    /// All inputs.
    #[must_use]
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    pub(super) fn inputs_mut(&mut self) -> &mut [f32] {
        &mut self.inputs
    }

    /// All labels.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Panics
    /// If an index is out of range.
    #[must_use]
    pub fn gather(&self, indices: &[usize]) -> Dataset {
        Dataset {
            inputs: gather(&self.inputs, self.inputs.len() / self.samples, indices),
            labels: self.labels.gather(indices, self.samples),
            samples: indices.len(),
        }
    }

    /// Shuffles by `seed` and splits: the first part holds `held_out` of the samples fewer, the second `held_out` of them.
    ///
    /// # Errors
    /// [`Error::Value`] unless both parts have at least one sample.
    pub fn split(&self, held_out: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        let count = (self.samples as f64 * held_out).round();
        if !(count >= 1.0 && count < self.samples as f64) {
            let (place, needed) = ("dataset".into(), "such that both parts have a sample");
            return Err(Error::Value { place, name: "held_out", value: held_out, needed });
        }
        let order = shuffled(self.samples, seed);
        let (held_out, kept) = order.split_at(count as usize);
        Ok((self.gather(kept), self.gather(held_out)))
    }

    /// One epoch: all samples in an order decided by `seed`, `batch` at a time; the last batch may be smaller.
    pub fn batches(&self, batch: usize, seed: u64) -> impl Iterator<Item = Dataset> {
        let order = shuffled(self.samples, seed);
        (0..self.samples).step_by(batch.max(1)).map(move |start| {
            let end = (start + batch.max(1)).min(self.samples);
            self.gather(&order[start..end])
        })
    }

    /// Fraction of samples whose largest logit is the one of their class; 0 where labels are numbers.
    #[must_use]
    pub fn accuracy(&self, logits: &[f32]) -> f64 {
        let Labels::Classes(classes) = &self.labels else { return 0.0 };
        let rows = logits.chunks_exact(logits.len() / self.samples);
        let right = rows.zip(classes).filter(|(row, class)| {
            let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i);
            best == Some(**class as usize)
        });
        right.count() as f64 / self.samples as f64
    }
}

fn gather(rows: &[f32], width: usize, indices: &[usize]) -> Vec<f32> {
    indices.iter().flat_map(|i| &rows[i * width..(i + 1) * width]).copied().collect()
}

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    order
}
