//! Pooling layers.

use super::layer::yes;
use super::pair::{Pair, pair};
use super::window::Padding;
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
    /// Rows and columns of −∞ around the image; at most half the kernel, or by name.
    #[serde(default)]
    pub padding: Padding,
    /// Whether a last window may go past the end of the padded image, if it begins in the image or in the padding before it: PyTorch's
    /// `ceil_mode`.
    #[serde(default)]
    pub ceil_mode: bool,
}

impl MaxPool2d {
    /// Non-overlapping windows: stride equal to the kernel, no padding.
    pub fn new(kernel: impl Into<Pair>) -> MaxPool2d {
        let kernel = kernel.into().0;
        MaxPool2d { kernel, stride: kernel, padding: Padding::default(), ceil_mode: false }
    }

    setters! {
        /// Distance between positions.
        stride(stride: impl Into<Pair>) => stride.into().0;
        /// Rows and columns of −∞ around the image.
        padding(padding: impl Into<Padding>) => padding.into();
        /// Whether a last window may go past the end of the padded image.
        ceil_mode(ceil_mode: bool) => ceil_mode;
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
    /// Rows and columns of zeros around the image; at most half the kernel, or by name.
    #[serde(default)]
    pub padding: Padding,
    /// Whether a last window may go past the end of the padded image, if it begins in the image or in the padding before it: PyTorch's
    /// `ceil_mode`.
    #[serde(default)]
    pub ceil_mode: bool,
    /// Whether k includes padding. What is past the end of the padding never counts.
    #[serde(default = "yes")]
    pub count_include_pad: bool,
}

impl AvgPool2d {
    /// Non-overlapping windows: stride equal to the kernel, no padding.
    pub fn new(kernel: impl Into<Pair>) -> AvgPool2d {
        let kernel = kernel.into().0;
        AvgPool2d {
            kernel,
            stride: kernel,
            padding: Padding::default(),
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    setters! {
        /// Distance between positions.
        stride(stride: impl Into<Pair>) => stride.into().0;
        /// Rows and columns of zeros around the image.
        padding(padding: impl Into<Padding>) => padding.into();
        /// Whether a last window may go past the end of the padded image.
        ceil_mode(ceil_mode: bool) => ceil_mode;
        /// Whether k includes padding.
        count_include_pad(count_include_pad: bool) => count_include_pad;
    }
}
