//! Sums of one operation's parameters over samples.

use super::is_diagonal;
use super::vector::{add_columns, add_squares, add_to};
use crate::Result;
use crate::memory::{product, zeros};
use crate::model::Mode;

/// Each a pair of weight (packed) and bias; empty where the mode has no use for them.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub gradient: [Vec<f32>; 2],
    pub diagonal: [Vec<f32>; 2],
    /// `Σ u x` of one sample, to be squared: of the weight for all u at once, of the bias for one u at a time.
    pub joint: [Vec<f32>; 2],
}

impl Sums {
    pub(crate) fn new(sizes: [usize; 2], mode: Mode) -> Result<Sums> {
        let [weight, bias] = sizes;
        let zeros = |times, len| zeros("sums for parameters", product([times, len]));
        let both = |there: bool| Ok([zeros(there.into(), weight)?, zeros(there.into(), bias)?]);
        let (gradient, diagonal) = (both(true)?, both(mode.has_diagonal())?);
        Ok(Sums { gradient, diagonal, joint: [zeros(mode.rank(), weight)?, zeros(1, bias)?] })
    }

    pub(crate) fn clear(&mut self) {
        self.gradient.iter_mut().chain(&mut self.diagonal).for_each(|sums| sums.fill(0.0));
    }

    pub(crate) fn add(&mut self, other: &Sums) {
        let (all, others) = (self.gradient.iter_mut().chain(&mut self.diagonal), other.gradient.iter());
        all.zip(others.chain(&other.diagonal)).for_each(|(all, other)| add_to(all, other));
    }

    /// Adds to the bias, which acts at every position: each sample's signal, of `sample` elements, is `[positions, bias]`.
    pub(crate) fn add_bias(&mut self, signal: &[&[f32]], sample: usize) {
        let components = signal.len();
        for (component, s) in signal.iter().enumerate() {
            let to = match component {
                0 => &mut self.gradient[1],
                _ => &mut self.diagonal[1],
            };
            if component == 0 || is_diagonal(component, components) {
                add_columns(to, s);
                continue;
            }
            for s in s.chunks_exact(sample) {
                self.joint[1].fill(0.0);
                add_columns(&mut self.joint[1], s);
                add_squares(to, &self.joint[1]);
            }
        }
    }
}
