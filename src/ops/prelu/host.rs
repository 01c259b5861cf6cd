//! PReLU on the CPU.

use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};

/// `z = x` above 0, else `w x`.
#[derive(Debug)]
pub(crate) struct Slopes {
    /// How many: 1, or one for each channel.
    pub slopes: usize,
    /// Elements of a sample.
    pub size: usize,
}

impl Slopes {
    /// What each element is multiplied by.
    fn factors(&self, call: &Call<'_>, x: &[f32], factors: &mut [f32]) {
        let factor = |x: f32, w: f32| if x > 0.0 { 1.0 } else { w };
        if let [w] = call.weight {
            factors.iter_mut().zip(x).for_each(|(f, x)| *f = factor(*x, *w));
            return;
        }
        for (factors, x) in factors.chunks_exact_mut(self.slopes).zip(x.chunks_exact(self.slopes)) {
            factors.iter_mut().zip(x.iter().zip(call.weight)).for_each(|(f, (x, w))| *f = factor(*x, *w));
        }
    }

    /// `Σ s x̂` of one sample, or `Σ s x̂²`, with x̂ = min(x, 0).
    fn sum(&self, x: &[f32], s: &[f32], squared: bool, sums: &mut [f32]) {
        let term = |(x, s): (&f32, &f32)| {
            let feature = if *x > 0.0 { 0.0 } else { *x };
            s * if squared { feature * feature } else { feature }
        };
        sums.fill(0.0);
        let chunk = if self.slopes == 1 { CHAIN } else { self.slopes };
        for (x, s) in x.chunks(chunk).zip(s.chunks(chunk)) {
            let terms = x.iter().zip(s).map(term);
            match &mut *sums {
                [sum] => *sum += terms.sum::<f32>(),
                sums => sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term),
            }
        }
    }
}

/// Numbers of a sample that are summed apart, where one slope is for all: shorter chains lose less to rounding.
const CHAIN: usize = 64;

impl SampleOp for Slopes {
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        self.factors(call, inputs[0], output);
        output.iter_mut().zip(inputs[0]).for_each(|(z, x)| *z *= x);
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        let factors = &mut scratch[..call.input.len()];
        self.factors(call, call.input, factors);
        for (component, (s, to)) in signal.iter().zip(to).enumerate() {
            let squared = is_diagonal(component, signal.len());
            for ((to, s), f) in to.iter_mut().zip(*s).zip(&*factors) {
                *to = s * if squared { f * f } else { *f };
            }
        }
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn scratch(&self, samples: usize, _: usize) -> usize {
        samples * self.size
    }

    fn work(&self) -> usize {
        4 * self.size
    }
}

impl Weighted for Slopes {
    fn sizes(&self) -> [usize; 2] {
        [self.slopes, 0]
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, _: &mut [f32]) {
        let Sums { gradient, diagonal, .. } = sums;
        let run = &mut vec![0.0; self.slopes];
        for (component, s) in signal.iter().enumerate() {
            let squared = is_diagonal(component, signal.len());
            let to = if component == 0 { &mut gradient[0] } else { &mut diagonal[0] };
            for (x, s) in x.chunks_exact(self.size).zip(s.chunks_exact(self.size)) {
                self.sum(x, s, squared, run);
                let joint = component > 0 && !squared;
                to.iter_mut().zip(&*run).for_each(|(to, sum)| *to += if joint { sum * sum } else { *sum });
            }
        }
    }
}
