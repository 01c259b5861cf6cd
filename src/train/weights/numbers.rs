//! Floating-point numbers of any usual width.

use safetensors::tensor::{Dtype, TensorView};

/// The numbers of a tensor as f32, or what is wrong with them.
pub(super) fn read(view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = view.data();
    let halves = || data.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    let numbers: Vec<f32> = match view.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        Dtype::F16 => halves().map(from_f16).collect(),
        Dtype::BF16 => halves().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        other => return Err(format!("is {other:?}, expected F32, F64, F16 or BF16")),
    };
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(index) => Err(format!("is not finite in f32 at element {index}")),
        None => Ok(numbers),
    }
}

/// IEEE 754's binary16: a sign, five bits of exponent, ten of fraction.
fn from_f16(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction as f32 / (1 << 24) as f32,
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 127 - 15) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(dtype: Dtype, bytes: &[u8], len: usize) -> Result<Vec<f32>, String> {
        read(&TensorView::new(dtype, vec![len], bytes).unwrap())
    }

    #[test]
    fn each_width() {
        let f16 = [0x3c00, 0xc000, 0x3555, 0x7bff, 0x0001, 0x83ff, 0x0400, 0x8000_u16];
        let bytes: Vec<u8> = f16.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let want = [1.0, -2.0, 0.333_251_95, 65504.0, 5.960_464_5e-8, -6.097_555e-5, 6.103_515_6e-5, -0.0];
        let found = numbers(Dtype::F16, &bytes, 8).unwrap();
        assert_eq!(found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), want.map(f32::to_bits));

        let bf16: Vec<u8> = [0x3f80, 0xbfc0, 0x0001_u16].iter().flat_map(|bits| bits.to_le_bytes()).collect();
        assert_eq!(numbers(Dtype::BF16, &bf16, 3).unwrap(), [1.0, -1.5, f32::from_bits(0x1_0000)]);
        let f64: Vec<u8> = [0.1, -1e-60].iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
        assert_eq!(numbers(Dtype::F64, &f64, 2).unwrap(), [0.1_f32, -0.0]);
        let f32: Vec<u8> = [0.1, f32::MAX].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(numbers(Dtype::F32, &f32, 2).unwrap(), [0.1, f32::MAX]);
    }

    #[test]
    fn what_is_no_number_of_ours() {
        let refused = |dtype, bytes: &[u8], len| numbers(dtype, bytes, len).unwrap_err();
        assert_eq!(refused(Dtype::I64, &[0; 8], 1), "is I64, expected F32, F64, F16 or BF16");
        let at = |index: usize| format!("is not finite in f32 at element {index}");
        assert_eq!(refused(Dtype::F64, &1e60_f64.to_le_bytes(), 1), at(0));
        assert_eq!(refused(Dtype::F16, &[0, 0, 0x00, 0x7c], 2), at(1));
        assert_eq!(refused(Dtype::F16, &[0x01, 0xfe], 1), at(0));
        assert_eq!(refused(Dtype::BF16, &[0x80, 0x7f], 1), at(0));
        assert_eq!(refused(Dtype::F32, &f32::NAN.to_le_bytes(), 1), at(0));
    }
}
