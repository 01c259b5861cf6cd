//! Batch normalisation.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Batch normalisation in evaluation mode, per channel c: `z = γ_c (x − mean_c) / √(var_c + ε) + β_c`, with fixed
/// statistics. γ is the weight, β the bias. The channel is the first dimension of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
#[must_use]
pub struct BatchNorm {
    /// Running mean of each channel.
    pub mean: Vec<f32>,
    /// Running variance of each channel, not negative.
    pub var: Vec<f32>,
    /// ε, above 0.
    #[serde(default = "small")]
    pub eps: f64,
}

fn small() -> f64 {
    1e-5
}

impl BatchNorm {
    /// With the statistics of a trained network, ε = 1e-5.
    pub fn new(mean: Vec<f32>, var: Vec<f32>) -> BatchNorm {
        BatchNorm { mean, var, eps: small() }
    }

    setters! {
        /// ε
        eps(eps: f64) => eps;
    }

    pub(crate) fn inverse_deviations(&self) -> impl Iterator<Item = f64> {
        self.var.iter().map(|var| 1.0 / (f64::from(*var) + self.eps).sqrt())
    }

    pub(super) fn validate(&self, name: &str) -> Result<()> {
        let value = |what, value: f64, needed| Error::value(name, what, value, needed);
        if !(self.eps > 0.0 && (self.eps as f32) > 0.0 && self.eps.is_finite()) {
            return Err(value("eps", self.eps, "finite and above 0"));
        }
        Error::check_length(format!("{name}: var"), self.var.len(), self.mean.len())?;
        if let Some(mean) = self.mean.iter().find(|m| !m.is_finite()) {
            return Err(value("mean", f64::from(*mean), "finite"));
        }
        if let Some(var) = self.var.iter().find(|v| !(v.is_finite() && **v >= 0.0)) {
            return Err(value("var", f64::from(*var), "finite and >= 0"));
        }
        Ok(())
    }
}
