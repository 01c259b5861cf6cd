//! Dense layers, on the whole batch.

use super::Threads;
use super::local::{add_scaled, add_scaled_squares, add_squares, square};
use super::product::{Matrix, Target, multiply_by};
use std::ops::Range;

/// Samples that are too few for squares of the weights to be worth writing.
pub(super) const FEW: usize = 4;

/// Samples whose sums for the weights are made in one product: longer ones lose digits.
const RUN: usize = 1024;

/// Operations of the largest product of a layer `[inputs, outputs]`: its signal's, of few samples with h.
pub(super) fn largest([inputs, outputs]: [usize; 2], planes: usize, samples: usize) -> usize {
    let together = if planes > 1 && samples > FEW { planes - 1 } else { planes };
    (2 * inputs * outputs * together).saturating_mul(samples)
}

/// A dense layer with what its calls share.
#[derive(Debug)]
pub(super) struct Dense<'a> {
    pub threads: &'a Threads,
    pub inputs: usize,
    pub outputs: usize,
    /// `[outputs, inputs]`
    pub weight: &'a [f32],
    /// Empty for none.
    pub bias: &'a [f32],
}

impl Dense<'_> {
    /// `z ← x Wᵀ + b`
    pub(super) fn forward(&self, x: &[f32], z: &mut [f32]) {
        let samples = z.len() / self.outputs;
        let biased = !self.bias.is_empty();
        if biased {
            z.chunks_exact_mut(self.outputs).for_each(|z| z.copy_from_slice(self.bias));
        }
        let (x, w) =
            (Matrix::new(x, samples, self.inputs), Matrix::new(self.weight, self.outputs, self.inputs));
        multiply_by(self.threads, Target::new(z, samples, self.outputs), biased, x, w.transposed());
    }

    /// `g, u ← g W, u W` in one product, and `h ← h (W∘W)`; planes `[g, u …, h]` or `g` alone, one after the other. Added to
    /// what is there if `add`. `squares` has room for the weight's.
    pub(super) fn signal(&self, s: &[f32], planes: usize, to: &mut [f32], add: bool, squares: &mut [f32]) {
        let rows = s.len() / self.outputs;
        let diagonal = if planes > 1 { rows / planes } else { 0 };
        if (1..=FEW).contains(&diagonal) {
            return self.signal_of_few(s, planes, to, add);
        }
        let exact = rows - diagonal;
        let (s, h) = s.split_at(exact * self.outputs);
        let (to, to_h) = to.split_at_mut(exact * self.inputs);
        let product = |s, weight, to, rows| {
            let (s, w) = (Matrix::new(s, rows, self.outputs), Matrix::new(weight, self.outputs, self.inputs));
            multiply_by(self.threads, Target::new(to, rows, self.inputs), add, s, w);
        };
        product(s, self.weight, to, exact);
        if diagonal > 0 {
            // Squared here, and not for all layers at once, they are in cache still.
            let squares = &mut squares[..self.weight.len()];
            square_by(self.threads, squares, self.weight);
            product(h, squares, to_h, diagonal);
        }
    }

    /// The same of few samples, in one sweep over the weights, which are then what is waited for.
    fn signal_of_few(&self, s: &[f32], planes: usize, to: &mut [f32], add: bool) {
        let rows = s.len() / self.outputs;
        let exact = rows - rows / planes;
        if !add {
            to.fill(0.0);
        }
        let ranges = self.threads.ranges(self.inputs, 2 * rows * self.inputs * self.outputs);
        let mut parts: Vec<_> =
            ranges.iter().map(|columns| (columns.clone(), Vec::with_capacity(rows))).collect();
        for mut rest in to.chunks_exact_mut(self.inputs) {
            for (columns, of_rows) in &mut parts {
                let (mine, others) = rest.split_at_mut(columns.len());
                of_rows.push(mine);
                rest = others;
            }
        }
        self.threads.each(parts, |(columns, mut to): (Range<usize>, Vec<&mut [f32]>)| {
            for (output, weight) in self.weight.chunks_exact(self.inputs).enumerate() {
                let weight = &weight[columns.clone()];
                for (row, to) in to.iter_mut().enumerate() {
                    let s = s[row * self.outputs + output];
                    if row < exact { add_scaled(to, s, weight) } else { add_scaled_squares(to, s, weight) }
                }
            }
        });
    }

    /// `sums ← sᵀ x` over the samples.
    pub(super) fn weight_sums(&self, s: &[f32], x: &[f32], sums: &mut [f32]) {
        let runs = |of: usize| RUN * of;
        self.weight_sums_of_run(
            &s[..s.len().min(runs(self.outputs))],
            &x[..x.len().min(runs(self.inputs))],
            sums,
        );
        if s.len() <= runs(self.outputs) {
            return;
        }
        // What rounding takes from the sum of runs is kept (Kahan).
        let (mut run, mut lost) = (vec![0.0; sums.len()], vec![0.0; sums.len()]);
        for (s, x) in s.chunks(runs(self.outputs)).zip(x.chunks(runs(self.inputs))).skip(1) {
            self.weight_sums_of_run(s, x, &mut run);
            for ((sum, lost), term) in sums.iter_mut().zip(&mut lost).zip(&run) {
                let term = term - *lost;
                let next = *sum + term;
                *lost = (next - *sum) - term;
                *sum = next;
            }
        }
    }

    fn weight_sums_of_run(&self, s: &[f32], x: &[f32], sums: &mut [f32]) {
        let samples = s.len() / self.outputs;
        let (s_t, x) =
            (Matrix::new(s, samples, self.outputs).transposed(), Matrix::new(x, samples, self.inputs));
        multiply_by(self.threads, Target::new(sums, self.outputs, self.inputs), false, s_t, x);
    }
}

/// `d ← h + Σ u²`, all of the diagonal, from planes `[g, u …, h]`.
pub(super) fn whole_diagonal(s: &[f32], planes: usize, d: &mut [f32]) {
    let plane = d.len();
    d.copy_from_slice(&s[(planes - 1) * plane..planes * plane]);
    s[plane..(planes - 1) * plane].chunks_exact(plane).for_each(|u| add_squares(d, u));
}

/// `to ← from²`, shared out among threads.
pub(super) fn square_by(threads: &Threads, to: &mut [f32], from: &[f32]) {
    let ranges = threads.ranges(from.len(), 8 * from.len());
    let mut rest = to;
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(range.len());
        parts.push((part, &from[range]));
        rest = behind;
    }
    threads.each(parts, |(to, from)| square(to, from));
}
