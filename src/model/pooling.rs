//! Pooling layers.

use super::layer::yes;
use super::pair::{Pair, pair, zeros};
use serde::{Deserialize, Serialize};

/// Max pooling. NaN counts as larger than any number; among equals the first in row-major order gets the signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct MaxPool2d {
    /// Height and width of the window.
    #[serde(deserialize_with = "pair")]
    pub kernel: [usize; 2],
    /// Distance between positions.
    #[serde(deserialize_with = "pair")]
    pub stride: [usize; 2],
    /// Rows and columns of −∞ around the image; at most half the kernel.
    #[serde(default = "zeros", deserialize_with = "pair")]
    pub padding: [usize; 2],
}

impl MaxPool2d {
    /// Non-overlapping windows: stride equal to the kernel, no padding.
    pub fn new(kernel: impl Into<Pair>) -> MaxPool2d {
        let kernel = kernel.into().0;
        MaxPool2d { kernel, stride: kernel, padding: zeros() }
    }

    setters! {
        /// Distance between positions.
        stride(stride: impl Into<Pair>) => stride.into().0;
        /// Rows and columns of −∞ around the image.
        padding(padding: impl Into<Pair>) => padding.into().0;
    }
}

/// Average pooling: the sum of a window's elements divided by their number k.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct AvgPool2d {
    /// Height and width of the window.
    #[serde(deserialize_with = "pair")]
    pub kernel: [usize; 2],
    /// Distance between positions.
    #[serde(deserialize_with = "pair")]
    pub stride: [usize; 2],
    /// Rows and columns of zeros around the image; at most half the kernel.
    #[serde(default = "zeros", deserialize_with = "pair")]
    pub padding: [usize; 2],
    /// Whether k includes padding.
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

impl AvgPool2d {
    /// Non-overlapping windows: stride equal to the kernel, no padding.
    pub fn new(kernel: impl Into<Pair>) -> AvgPool2d {
        let kernel = kernel.into().0;
        AvgPool2d { kernel, stride: kernel, padding: zeros(), count_include_pad: true }
    }

    setters! {
        /// Distance between positions.
        stride(stride: impl Into<Pair>) => stride.into().0;
        /// Rows and columns of zeros around the image.
        padding(padding: impl Into<Pair>) => padding.into().0;
        /// Whether k includes padding.
        count_include_pad(count_include_pad: bool) => count_include_pad;
    }
}
