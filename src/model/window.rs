//! Sliding windows, shared by convolution and pooling.

use super::pair::{Pair, pair};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Zeros (for max pooling: nothing) around an image before a window slides over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "padding must be a number, two: [height, width], `same` or `valid`")]
#[non_exhaustive]
pub enum Padding {
    /// Rows above and below, columns left and right.
    Explicit(#[serde(deserialize_with = "pair")] [usize; 2]),
    /// `"same"` or `"valid"`.
    Named(Named),
}

/// Padding by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Named {
    /// As many positions as the input has, divided by the stride and rounded up, with as little padding as that needs: as in
    /// TensorFlow and, at stride 1, in PyTorch. An odd remainder is padded below and right.
    Same,
    /// No padding.
    Valid,
}

impl Padding {
    /// The output is as large as the input divided by the stride.
    pub const SAME: Padding = Padding::Named(Named::Same);
    /// No padding.
    pub const VALID: Padding = Padding::Named(Named::Valid);
}

impl Default for Padding {
    fn default() -> Padding {
        Padding::Explicit([0, 0])
    }
}

impl<T: Into<Pair>> From<T> for Padding {
    fn from(value: T) -> Padding {
        Padding::Explicit(value.into().0)
    }
}

/// A window over an image `[height, width]`: its place for each position of the result. All pairs are height first.
///
/// The window at position `q` covers the rows `q·stride + t·dilation − before` for `t` in `0..kernel`, where they exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    /// The image that it slides over: height and width.
    pub image: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Padding above and left.
    pub before: [usize; 2],
    /// Padding below and right.
    pub after: [usize; 2],
    /// The size of the result.
    pub positions: [usize; 2],
}

impl Window {
    /// Of a layer called `name` on `image`. With `ceil` a last window may go past the end of the padded image, as long as it begins
    /// before the padding behind the image does.
    pub(super) fn new(
        name: &str,
        image: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
        dilation: [usize; 2],
        ceil: bool,
    ) -> Result<Window> {
        check_sizes(name, [kernel, stride, dilation])?;
        let wrong = |needed: String| Error::shape(name, &image, needed);
        let (mut before, mut after, mut positions) = ([0; 2], [0; 2], [0; 2]);
        for axis in 0..2 {
            let (size, stride) = (image[axis], stride[axis]);
            let covered = (kernel[axis] - 1)
                .checked_mul(dilation[axis])
                .map(|reach| reach + 1)
                .filter(|covered| *covered <= MOST)
                .ok_or_else(|| wrong(format!("a window of at most {MOST}")))?;
            (before[axis], after[axis]) = match padding {
                Padding::Explicit(sides) if sides[axis] <= MOST => (sides[axis], sides[axis]),
                Padding::Explicit(_) => return Err(wrong(format!("padding of at most {MOST}"))),
                Padding::Named(Named::Valid) => (0, 0),
                Padding::Named(Named::Same) => {
                    let end = (size.div_ceil(stride) - 1) * stride + covered;
                    let total = end.saturating_sub(size);
                    (total / 2, total - total / 2)
                }
            };
            // The room in which windows begin.
            let room = (before[axis] + size + after[axis] + 1).saturating_sub(covered);
            positions[axis] = room.div_ceil(stride);
            if ceil {
                // One more than ⌈(padded − covered) / stride⌉, which may be negative.
                let padded = before[axis] + size + after[axis];
                let more = (padded + 2 * stride - 1).saturating_sub(covered) / stride;
                positions[axis] = more.min((before[axis] + size).div_ceil(stride));
            }
            if positions[axis] == 0 {
                return Err(wrong(format!(
                    "an image in which, padded, a window of {covered} fits along {}",
                    ["the height", "the width"][axis]
                )));
            }
        }
        Ok(Window { image, kernel, stride, dilation, before, after, positions })
    }

    /// Elements of the window at `q`, those in the padding included: fewer than others where it goes past its end.
    pub(crate) fn elements(&self, q: [usize; 2]) -> usize {
        let padded = self.padded();
        let along = |axis: usize| self.kernel[axis].min(padded[axis] - q[axis] * self.stride[axis]);
        along(0) * along(1)
    }

    /// Height and width of the image with its padding.
    pub(crate) fn padded(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.before[axis] + self.image[axis] + self.after[axis])
    }

    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The place in the image that element `tap` of the window at position `q` covers along `axis`, unless it is padding.
    pub(crate) fn covers(&self, axis: usize, q: usize, tap: usize) -> Option<usize> {
        (q * self.stride[axis] + tap * self.dilation[axis])
            .checked_sub(self.before[axis])
            .filter(|place| *place < self.image[axis])
    }
}

/// The largest kernel, stride, dilation and padding: larger ones could overflow the kernels' 32-bit arithmetic.
pub(super) const MOST: usize = 1 << 24;

pub(super) fn check_sizes(name: &str, sizes: [[usize; 2]; 3]) -> Result<()> {
    for (sizes, what) in sizes.into_iter().zip(["kernel", "stride", "dilation"]) {
        if sizes.contains(&0) {
            return Err(Error::zero_size(name, what));
        }
        if let Some(size) = sizes.into_iter().find(|size| *size > MOST) {
            return Err(Error::value(name, what, size as f64, "at most 16777216"));
        }
    }
    Ok(())
}
