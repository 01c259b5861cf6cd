//! Normalising inputs to mean 0 and standard deviation 1.

use super::Dataset;
use crate::{Error, Result};

/// Mean and standard deviation of each channel of a data set, usually the training set. Apply the same values to the test set.
///
/// ```
/// use hesscale::train::{Dataset, Labels, Normalization};
/// # fn main() -> hesscale::Result<()> {
/// // Two images of two channels, one pixel each.
/// let data = Dataset::new(vec![1.0, 10.0, 3.0, 20.0], 2, Labels::Classes(vec![0, 1]))?;
/// let normalization = Normalization::of(&data, 2)?;
/// assert_eq!((normalization.mean(), normalization.deviation()), (&[2.0, 15.0][..], &[1.0, 5.0][..]));
/// assert_eq!(normalization.apply(data)?.inputs(), [-1.0, -1.0, 1.0, 1.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Normalization {
    /// Of samples `[channels, …]`. The deviation is the population's; a channel that never changes has 1.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for no channels; [`Error::Length`] where they do not divide a sample.
    pub fn of(data: &Dataset, channels: usize) -> Result<Normalization> {
        let size = channel_size(data, channels)?;
        let mut sums = vec![(0.0_f64, 0.0_f64); channels];
        for (channel, values) in data.inputs().chunks_exact(size).enumerate() {
            let (sum, squares) = &mut sums[channel % channels];
            for value in values.iter().map(|value| f64::from(*value)) {
                *sum += value;
                *squares += value * value;
            }
        }
        let count = (data.len() * size) as f64;
        let moments = sums.into_iter().map(|(sum, squares)| {
            let mean = sum / count;
            let deviation = (squares / count - mean * mean).max(0.0).sqrt();
            // The deviation of a constant channel is only rounding error.
            let varies = deviation > 1e-6 * mean.abs();
            (mean as f32, if varies { deviation as f32 } else { 1.0 })
        });
        let (mean, deviation) = moments.unzip();
        Ok(Normalization { mean, deviation })
    }

    /// Of each channel.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Of each channel.
    pub fn deviation(&self) -> &[f32] {
        &self.deviation
    }

    /// `(x − mean) / deviation` for all inputs.
    ///
    /// # Errors
    /// [`Error::Length`] where the channels do not divide a sample.
    pub fn apply(&self, mut data: Dataset) -> Result<Dataset> {
        let channels = self.mean.len();
        let size = channel_size(&data, channels)?;
        for (channel, values) in data.inputs_mut().chunks_exact_mut(size).enumerate() {
            let (mean, deviation) = (self.mean[channel % channels], self.deviation[channel % channels]);
            values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
        Ok(data)
    }
}

/// Inputs of one channel of a sample.
fn channel_size(data: &Dataset, channels: usize) -> Result<usize> {
    let width = data.inputs().len() / data.len();
    match width.checked_rem(channels) {
        None => Err(Error::zero_size("normalization", "the number of channels")),
        Some(0) => Ok(width / channels),
        Some(_) => Err(Error::length("inputs of a sample", width, width.next_multiple_of(channels))),
    }
}
