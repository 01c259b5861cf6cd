//! Allocations whose failure is an error, not an abort.

use crate::{Error, Result};

/// `len` zeros; `None` is a length that overflows. The system may provide zeroed pages lazily.
pub(crate) fn zeros<T: bytemuck::Zeroable>(what: &str, len: Option<usize>) -> Result<Vec<T>> {
    len.and_then(|len| bytemuck::try_zeroed_vec(len).ok()).ok_or_else(|| missing::<T>(what, len))
}

/// An empty vector with this capacity.
pub(crate) fn room<T>(what: &str, len: Option<usize>) -> Result<Vec<T>> {
    let mut room = Vec::new();
    let there_is = len.is_some_and(|len| room.try_reserve_exact(len).is_ok());
    if there_is { Ok(room) } else { Err(missing::<T>(what, len)) }
}

fn missing<T>(what: &str, len: Option<usize>) -> Error {
    let bytes = len.map_or(u64::MAX, |len| (len as u64).saturating_mul(size_of::<T>() as u64));
    Error::Memory { what: what.into(), bytes }
}

/// The product of sizes, unless it overflows.
pub(crate) fn product<const N: usize>(sizes: [usize; N]) -> Option<usize> {
    sizes.into_iter().try_fold(1_usize, usize::checked_mul)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_not_is_said() {
        assert_eq!(zeros::<f32>("few", product([2, 3])), Ok(vec![0.0; 6]));
        let refused = |len| {
            let refused = zeros::<f32>("many", len).map(|zeros| zeros.len());
            assert_eq!(room::<f32>("many", len).map(|room| room.len()), refused);
            refused
        };
        let memory = |bytes| Err(Error::Memory { what: "many".into(), bytes });
        assert_eq!(refused(product([1 << 40, 1 << 40])), memory(u64::MAX));
        assert_eq!(refused(Some(usize::MAX)), memory(u64::MAX));
        assert_eq!(refused(Some(1 << 60)), memory(1 << 62));
    }
}
