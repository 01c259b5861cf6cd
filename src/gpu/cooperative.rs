//! The matrix units of an adapter, and the device features that they need.

use crate::gemm::Cooperative;
use crate::{Error, Result};
use wgpu::{CooperativeMatrixProperties, CooperativeScalarType, Features};

impl Cooperative {
    /// An adapter's matrix units with f32 sums: with f32 operands if available, else f16; larger ones are preferred.
    ///
    /// # Errors
    /// [`Error::Cooperative`] if the adapter has no such units, or lacks a feature they need.
    pub fn of(adapter: &wgpu::Adapter) -> Result<Cooperative> {
        let subgroup = adapter.get_info().subgroup_max_size;
        let found = adapter.cooperative_matrix_properties();
        let fitting = found.iter().filter_map(|found| fitting(found, subgroup));
        let best = fitting.max_by_key(|c| (!c.half, c.size)).ok_or_else(|| {
            Error::Cooperative(format!("the adapter has none that sum in f32; it has {}", found.len()))
        })?;
        best.granted(adapter.features())?;
        Ok(best)
    }

    /// The features a device must be created with; `EXPERIMENTAL` ones also need the host's consent:
    /// [`wgpu::DeviceDescriptor::experimental_features`].
    pub fn features(self) -> Features {
        let half = if self.half { Features::SHADER_F16 } else { Features::empty() };
        Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SUBGROUP | half
    }

    pub(super) fn granted(self, features: Features) -> Result<()> {
        let missing = self.features() - features;
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::Cooperative(format!("{self} needs {missing:?}, which the device does not have")))
    }
}

/// Square blocks of one of the two sizes that WGSL has here.
fn fitting(found: &CooperativeMatrixProperties, subgroup: u32) -> Option<Cooperative> {
    let CooperativeMatrixProperties { m_size: size, n_size, k_size, ab_type, cr_type, .. } = *found;
    let half = match ab_type {
        CooperativeScalarType::F16 => true,
        CooperativeScalarType::F32 => false,
        _ => return None,
    };
    let square = size == n_size && size == k_size && [8, 16].contains(&size);
    (square && cr_type == CooperativeScalarType::F32).then_some(Cooperative { half, size, subgroup })
}

#[cfg(test)]
mod tests {
    use super::*;
    use CooperativeScalarType::{F16, F32, I32};

    #[test]
    fn only_square_blocks_with_sums_in_f32_fit() {
        let fits = |[m_size, n_size, k_size]: [u32; 3], ab_type, cr_type| {
            let saturating_accumulation = false;
            fitting(
                &CooperativeMatrixProperties {
                    m_size,
                    n_size,
                    k_size,
                    ab_type,
                    cr_type,
                    saturating_accumulation,
                },
                32,
            )
        };
        let of = |half, size| Some(Cooperative { half, size, subgroup: 32 });
        assert_eq!(fits([16; 3], F16, F32), of(true, 16));
        assert_eq!(fits([8; 3], F32, F32), of(false, 8));
        assert_eq!(fits([16, 8, 16], F16, F32), None);
        assert_eq!(fits([16, 16, 8], F16, F32), None);
        assert_eq!(fits([16; 3], F16, F16), None);
        assert_eq!(fits([16; 3], I32, I32), None);
        assert_eq!(fits([32; 3], F16, F32), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let half = Cooperative { half: true, size: 16, subgroup: 32 };
        assert_eq!(half.granted(Features::all()), Ok(()));
        let error = half.granted(half.features() - Features::SHADER_F16).unwrap_err().to_string();
        assert!(error.contains("16x16 f16") && error.contains("SHADER_F16") && !error.contains("SUBGROUP"));
        assert!(Cooperative { half: false, ..half }.granted(half.features() - Features::SHADER_F16).is_ok());
    }
}
