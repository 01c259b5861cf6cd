//! Layers that make an image of another size from values of the same channel: upsampling, padding by reflection and by the edge; the
//! last position of a sequence.

use super::pair::{Pair, pair};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// An image enlarged by whole factors, as PyTorch's `nn.Upsample` does it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct Upsample2d {
    /// Factors of height and width, 1 to 2000.
    #[serde(deserialize_with = "pair")]
    pub scale: [usize; 2],
    /// What stands between the input's pixels.
    #[serde(default)]
    pub mode: Interpolation,
}

/// What an enlarged image has between the pixels of the image that it is made of. Along each axis, with n pixels and the factor s,
/// the output's pixel q stands at x:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// The pixel `⌊q/s⌋`.
    #[default]
    Nearest,
    /// Between its two neighbours at `x = max((q + ½)/s − ½, 0)`, the last pixel going on to the edge: PyTorch's
    /// `align_corners=False`.
    Bilinear,
    /// Between its two neighbours at `x = q (n − 1)/(n s − 1)`, so that corners lie on corners: `align_corners=True`.
    BilinearAligned,
}

impl Upsample2d {
    /// Each pixel repeated.
    pub fn nearest(scale: impl Into<Pair>) -> Upsample2d {
        Upsample2d { scale: scale.into().0, mode: Interpolation::Nearest }
    }

    /// Linear along both axes, with PyTorch's `align_corners=False`.
    pub fn bilinear(scale: impl Into<Pair>) -> Upsample2d {
        Upsample2d { scale: scale.into().0, mode: Interpolation::Bilinear }
    }

    setters! {
        /// What stands between the input's pixels.
        mode(mode: Interpolation) => mode;
    }
}

/// The largest factor and the widest padding: then at most 4001² pixels are made of one, which is as many as a workgroup may sum.
const MOST: usize = 2000;

/// A map of each channel's image to another, the same along rows as along columns:
/// `z[y, x] = Σ_i Σ_j A[y, i] B[x, j] x[i, j]`, at most two numbers in a row of A or B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resampling {
    /// Height and width of the input and of the output.
    pub image: [usize; 2],
    pub positions: [usize; 2],
    pub rule: ResamplingRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResamplingRule {
    Between(Interpolation),
    /// Pixels above and left of the image are those behind its edge, which is not repeated.
    Reflection {
        before: [usize; 2],
    },
    /// Pixels around the image are those of its edge.
    Replication {
        before: [usize; 2],
    },
    /// The last pixel of the last row alone.
    Last,
}

impl Resampling {
    pub(super) fn upsampling(name: &str, layer: &Upsample2d, image: [usize; 2]) -> Result<Resampling> {
        if layer.scale.contains(&0) {
            return Err(Error::zero_size(name, "scale"));
        }
        let positions = [0, 1].map(|axis| image[axis].saturating_mul(layer.scale[axis]));
        check(name, "scale", &layer.scale)?;
        Ok(Resampling { image, positions, rule: ResamplingRule::Between(layer.mode) })
    }

    /// `padding` is left, right, top, bottom.
    pub(super) fn padding(
        name: &str,
        padding: [usize; 4],
        image: [usize; 2],
        reflects: bool,
    ) -> Result<Resampling> {
        let [left, right, top, bottom] = padding;
        check(name, "padding", &padding)?;
        let sides = [[top, bottom], [left, right]];
        if reflects {
            for (axis, of) in ["height", "width"].into_iter().enumerate() {
                if let Some(side) = sides[axis].into_iter().find(|side| *side >= image[axis]) {
                    let needed = format!("a {of} larger than the padding of {side} that reflects it");
                    return Err(Error::shape(name, &image, needed));
                }
            }
        }
        let before = [top, left];
        let positions = [0, 1].map(|axis| image[axis].saturating_add(sides[axis].iter().sum()));
        let rule = match reflects {
            true => ResamplingRule::Reflection { before },
            false => ResamplingRule::Replication { before },
        };
        Ok(Resampling { image, positions, rule })
    }

    /// The last position of a sequence `[channels, length]`.
    pub(super) fn last(name: &str, input: &[usize]) -> Result<Resampling> {
        match input {
            [_, length] => {
                Ok(Resampling { image: [1, *length], positions: [1, 1], rule: ResamplingRule::Last })
            }
            _ => Err(Error::shape(name, input, "[channels, length]")),
        }
    }

    /// What position `q` along an axis is made of: places with their weights.
    pub(crate) fn taps(&self, axis: usize, q: usize) -> impl Iterator<Item = (usize, f32)> {
        let (size, last) = (self.image[axis], self.image[axis] - 1);
        let scale = self.positions[axis] / size;
        let ([first, second], weight) = match self.rule {
            ResamplingRule::Between(Interpolation::Nearest) => ([q / scale; 2], 0.0),
            ResamplingRule::Between(Interpolation::Bilinear) => {
                neighbours((2 * q + 1).saturating_sub(scale), 1, 2 * scale, last)
            }
            ResamplingRule::Between(Interpolation::BilinearAligned) => {
                neighbours(q, last, (self.positions[axis] - 1).max(1), last)
            }
            ResamplingRule::Reflection { before } => {
                let place = q.abs_diff(before[axis]);
                ([if place > last { 2 * last - place } else { place }; 2], 0.0)
            }
            ResamplingRule::Replication { before } => ([q.saturating_sub(before[axis]).min(last); 2], 0.0),
            ResamplingRule::Last => ([last; 2], 0.0),
        };
        let both = [(first, (1.0 - weight) as f32), (second, weight as f32)];
        both.into_iter().filter(|(_, weight)| *weight > 0.0)
    }
}

/// The pixels before and behind `factor · times / divisor`, none past the last, and the weight of the second.
fn neighbours(factor: usize, times: usize, divisor: usize, last: usize) -> ([usize; 2], f64) {
    let (numerator, divisor) = (factor as u64 * times as u64, divisor as u64);
    let place = ((numerator / divisor) as usize).min(last);
    let weight = (numerator % divisor) as f64 / divisor as f64;
    if place == last { ([last; 2], 0.0) } else { ([place, place + 1], weight) }
}

fn check(name: &str, what: &'static str, sizes: &[usize]) -> Result<()> {
    match sizes.iter().find(|size| **size > MOST) {
        Some(size) => Err(Error::value(name, what, *size as f64, "at most 2000")),
        None => Ok(()),
    }
}
