//! Encodings on the CPU, in rows: `[channels, positions]` of a sample.

use crate::host::math::exp;
use crate::host::{Call, SampleOp, is_diagonal};
use crate::model::Encoding;
use std::f32::consts::PI;

#[derive(Debug)]
pub(crate) struct Encode {
    pub encoding: Encoding,
    /// Of the input.
    pub channels: usize,
    pub positions: usize,
}

impl Encode {
    /// `f_k` at a and its two derivatives, as in `shaders/encode/`.
    fn at(&self, a: f32, k: usize) -> [f32; 3] {
        match self.encoding {
            Encoding::Frequency { .. } => {
                let scale = (1_u64 << (k / 2)) as f32;
                let t = scale * a;
                let (sin, cos) = (PI * (t - 2.0 * (0.5 * t).round())).sin_cos();
                let (f, slope) = if k.is_multiple_of(2) { (sin, cos) } else { (cos, -sin) };
                let w = PI * scale;
                [f, w * slope, -(w * w) * f]
            }
            Encoding::OneBlob { bins } => {
                let bins = bins as f32;
                let d = (bins * a - (k as f32 + 0.5)).clamp(-20.0, 20.0);
                let f = exp(-0.5 * d * d);
                [f, -bins * d * f, bins * bins * (d * d - 1.0) * f]
            }
        }
    }
}

impl SampleOp for Encode {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let positions = self.positions;
        let channels = inputs[0].chunks_exact(positions);
        for (x, z) in channels.zip(output.chunks_exact_mut(positions * self.encoding.numbers())) {
            for (k, z) in z.chunks_exact_mut(positions).enumerate() {
                z.iter_mut().zip(x).for_each(|(z, a)| *z = self.at(*a, k)[0]);
            }
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let (numbers, positions) = (self.encoding.numbers(), self.positions);
        let curved = call.mode.is_curved();
        to.iter_mut().for_each(|to| to.fill(0.0));
        for (i, a) in call.input.iter().enumerate() {
            let first = i / positions * numbers * positions + i % positions;
            for k in 0..numbers {
                let ([_, d1, d2], at) = (self.at(*a, k), first + k * positions);
                for (component, (s, to)) in signal.iter().zip(&mut *to).enumerate() {
                    to[i] += match is_diagonal(component, signal.len()) {
                        false => d1 * s[at],
                        true if curved => d1 * d1 * s[at] + d2 * signal[0][at],
                        true => d1 * d1 * s[at],
                    };
                }
            }
        }
    }

    fn work(&self) -> usize {
        16 * self.channels * self.positions * self.encoding.numbers()
    }
}
