//! Synthetic data in the shape of a problem's, for use without the real files: a pattern for each class, with noise where classes are
//! to be told.

use hesscale::train::{Dataset, Labels};
use hesscale::{Model, Result};

const TRAIN: usize = 2000;
const TEST: usize = 500;
/// Neighbours in a row that share a value of the pattern; rows have 28 or 32.
const BLOCK: usize = 4;
const NOISE: f32 = 0.5;

/// Training and test set for a model, in 0 to 1, determined by `seed`. The output's channels count as classes where there are none.
pub(crate) fn dataset(model: &Model, seed: u64) -> Result<(Dataset, Dataset)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (width, classes) = (model.inputs(), model.classes());
    let share = if model.loss().takes_classes() { NOISE } else { 0.0 };
    let patterns: Vec<Vec<f32>> =
        (0..classes).map(|_| (0..width.div_ceil(BLOCK)).map(|_| random.f32()).collect()).collect();
    let mut samples = |count: usize| {
        let labels: Vec<u32> = (0..count).map(|n| (n % classes) as u32).collect();
        let mut inputs = Vec::with_capacity(count * width);
        for label in &labels {
            let pattern = &patterns[*label as usize];
            let noisy = |i: usize| (1.0 - share) * pattern[i / BLOCK] + share * random.f32();
            inputs.extend((0..width).map(noisy));
        }
        Dataset::new(inputs, width, Labels::Classes(labels))
    };
    Ok((samples(TRAIN)?, samples(TEST)?))
}
