//! The handwritten digits.

use hesscale::Result;
use hesscale::train::{Dataset, Labels};

/// 8 × 8 pixels in 0 to 1, and their labels: see `data/README.md` for source and licence.
pub(crate) fn digits() -> Result<Dataset> {
    let records = include_bytes!("../../data/digits.bin").chunks_exact(65);
    let pixels = records.clone().flat_map(|r| &r[..64]).map(|pixel| f32::from(*pixel) / 16.0).collect();
    let labels = records.map(|r| u32::from(r[64])).collect();
    Dataset::new(pixels, 64, Labels::Classes(labels))
}
