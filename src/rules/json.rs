//! Reading JSON strictly.

use serde::de::{Deserialize, Deserializer};

/// An object without fields. Serde's own reading of a tagged unit variant accepts any field; this refuses them.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads a variant that is its tag and no more.
pub(crate) fn nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    Nothing::deserialize(deserializer).map(|Nothing {}| ())
}
