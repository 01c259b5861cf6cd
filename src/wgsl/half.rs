//! f16 from f32.

/// The bits of the nearest f16, of two the even one; `None` where that would be infinite, and for NaN.
pub(super) fn to_f16(value: f32) -> Option<u16> {
    // The middle between the largest f16, 65,504, and what would come next.
    const END: f32 = 65_520.0;
    const SMALLEST_NORMAL: f32 = 1.0 / 16_384.0;
    let size = value.abs();
    let bits = if size < SMALLEST_NORMAL {
        // Numbers from 1/2 to 1 have the spacing of f16's subnormal ones, 2^-24.
        (size + 0.5).to_bits() - 0.5_f32.to_bits()
    } else if size < END {
        let bits = size.to_bits();
        let up = 0xfff + (bits >> 13 & 1);
        ((bits + up) >> 13) - ((127 - 15) << 10)
    } else {
        return None;
    };
    Some(bits as u16 | ((value.to_bits() >> 16) as u16 & 0x8000))
}

#[cfg(test)]
mod tests {
    use super::to_f16;

    #[test]
    fn rounds_to_the_nearest() {
        for (value, bits) in [
            (0.0, 0),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65_504.0, 0x7bff),
            (65_519.99, 0x7bff),
            (0.1, 0x2e66),
            // Ties go to the even one.
            (1.0 + 1.0 / 2048.0, 0x3c00),
            (1.0 + 3.0 / 2048.0, 0x3c02),
            // The smallest normal number and its neighbour below, and subnormal ones.
            (6.103_515_6e-5, 0x0400),
            (6.097_555e-5, 0x03ff),
            (5.960_464_5e-8, 1),
            (2.980_232_2e-8, 0),
            (2.980_233e-8, 1),
            (1e-40, 0),
        ] {
            assert_eq!(to_f16(value), Some(bits), "{value}");
        }
        for value in [65_520.0, -1e9, f32::INFINITY, f32::NAN] {
            assert_eq!(to_f16(value), None);
        }
    }

    /// Every f16 by its definition, and the middle to the next one.
    #[test]
    fn all_of_them() {
        let value = |bits: u16| match (bits >> 10, f32::from(bits & 0x3ff)) {
            (0, fraction) => fraction * 2f32.powi(-24),
            (exponent, fraction) => (1.0 + fraction / 1024.0) * 2f32.powi(i32::from(exponent) - 15),
        };
        for bits in 0..0x7bff_u16 {
            let (this, next) = (value(bits), value(bits + 1));
            assert_eq!(to_f16(this), Some(bits));
            assert_eq!(to_f16((this + next) / 2.0), Some(bits + (bits & 1)));
        }
    }
}
