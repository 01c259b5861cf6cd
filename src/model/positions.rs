//! A learned number for each element of a sample.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Learned positions: `z = x + W`, W of the sample's shape, so that a Transformer tells one position from another (Gehring et al.,
/// 2017, arXiv 1705.03122; Dosovitskiy et al., 2021, arXiv 2010.11929). W is the weight; initially its numbers are small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct PositionEmbedding {
    /// The shape of a sample; empty: [`Builder::layer`](super::Builder::layer) fills it in.
    pub shape: Vec<usize>,
}

impl PositionEmbedding {
    /// Of the shape that a builder has come to.
    pub fn new() -> PositionEmbedding {
        PositionEmbedding { shape: Vec::new() }
    }

    setters! {
        /// The shape of a sample.
        shape(shape: impl Into<Vec<usize>>) => shape.into();
    }

    pub(super) fn validate(&self, name: &str, input: &[usize]) -> Result<()> {
        match self.shape == input {
            true => Ok(()),
            false => Err(Error::shape(name, input, format!("{:?}, the shape of its weight", self.shape))),
        }
    }
}

impl Default for PositionEmbedding {
    fn default() -> PositionEmbedding {
        PositionEmbedding::new()
    }
}
