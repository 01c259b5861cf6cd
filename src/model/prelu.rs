//! A rectifier whose slope below 0 is learned.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// PReLU (He et al., 2015, arXiv 1502.01852): `z = x` above 0, else `z = w x`, with a slope w for all elements or one for each
/// channel, the first dimension of a sample. The slopes are the weight, `[slopes]`, 0.25 at first, as PyTorch's `nn.PReLU` has
/// them; at 0 the derivative is w.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct PRelu {
    /// 1, or the number of channels; 0: [`Builder::layer`](super::Builder::layer) fills in the number of channels.
    #[serde(default = "one")]
    pub slopes: usize,
}

fn one() -> usize {
    1
}

impl PRelu {
    /// One slope for all elements.
    pub fn new() -> PRelu {
        PRelu { slopes: 1 }
    }

    /// A slope for each channel, of the channels that a builder has come to.
    pub fn per_channel() -> PRelu {
        PRelu { slopes: 0 }
    }

    setters! {
        /// Number of slopes: 1, or the number of channels.
        slopes(slopes: usize) => slopes;
    }

    pub(super) fn validate(&self, name: &str, input: &[usize]) -> Result<()> {
        if self.slopes == 0 {
            return Err(Error::zero_size(name, "slopes"));
        }
        if self.slopes != 1 && self.slopes != input[0] {
            return Err(Error::shape(name, input, format!("{} channels", self.slopes)));
        }
        Ok(())
    }
}

impl Default for PRelu {
    fn default() -> PRelu {
        PRelu::new()
    }
}
