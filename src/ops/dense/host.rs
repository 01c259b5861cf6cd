//! Dense layers on the CPU, on the whole batch at once.

use crate::host::Threads;
use crate::host::product::{Matrix, Target, multiply_parallel};
use crate::host::vector::{add_scaled, add_scaled_squares, begin_rows, square_parallel};
use std::ops::Range;

/// Up to so many samples, writing the squared weights to memory does not pay off.
pub(crate) const FEW: usize = 4;

/// Samples whose weight sums are one product: longer sums lose digits.
const RUN: usize = 1024;

/// Floating-point operations of the largest product of a layer `[inputs, outputs]`: the signal's. With few samples it includes h.
pub(crate) fn largest_product([inputs, outputs]: [usize; 2], components: usize, samples: usize) -> usize {
    let together = if components > 1 && samples > FEW { components - 1 } else { components };
    (2 * inputs * outputs * together).saturating_mul(samples)
}

#[derive(Debug)]
pub(crate) struct Dense<'a> {
    pub threads: &'a Threads,
    pub inputs: usize,
    pub outputs: usize,
    /// `[outputs, inputs]`
    pub weight: &'a [f32],
    /// Empty for none.
    pub bias: &'a [f32],
}

impl Dense<'_> {
    /// `z ← x Wᵀ + b`, added to what is there if `add`.
    pub(crate) fn forward(&self, x: &[f32], z: &mut [f32], add: bool) {
        let samples = z.len() / self.outputs;
        let add = begin_rows(z, self.bias, add);
        let (x, w) =
            (Matrix::new(x, samples, self.inputs), Matrix::new(self.weight, self.outputs, self.inputs));
        multiply_parallel(self.threads, Target::new(z, samples, self.outputs), add, x, w.transposed());
    }

    /// `g, u ← g W, u W` in one product, and `h ← h (W∘W)`; components `[g, u …, h]`, or `g` alone, one after the other. Added to
    /// what is there if `add`. `squares` is memory for the squared weight.
    pub(crate) fn signal(
        &self,
        s: &[f32],
        components: usize,
        to: &mut [f32],
        add: bool,
        squares: &mut [f32],
    ) {
        let rows = s.len() / self.outputs;
        let diagonal = if components > 1 { rows / components } else { 0 };
        if (1..=FEW).contains(&diagonal) {
            return self.signal_of_few(s, components, to, add);
        }
        let exact = rows - diagonal;
        let (s, h) = s.split_at(exact * self.outputs);
        let (to, to_h) = to.split_at_mut(exact * self.inputs);
        let product = |s, weight, to, rows| {
            let (s, w) = (Matrix::new(s, rows, self.outputs), Matrix::new(weight, self.outputs, self.inputs));
            multiply_parallel(self.threads, Target::new(to, rows, self.inputs), add, s, w);
        };
        product(s, self.weight, to, exact);
        if diagonal > 0 {
            // Squared here and not for all layers beforehand, so that they are still in cache.
            let squares = &mut squares[..self.weight.len()];
            square_parallel(self.threads, squares, self.weight);
            product(h, squares, to_h, diagonal);
        }
    }

    /// The same for few samples, where memory bandwidth limits: one sweep over the weights, squared on the fly.
    fn signal_of_few(&self, s: &[f32], components: usize, to: &mut [f32], add: bool) {
        let rows = s.len() / self.outputs;
        let exact = rows - rows / components;
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

    /// `sums ← sᵀ x` over the samples, added to what is there if `add`.
    pub(crate) fn weight_sums(&self, s: &[f32], x: &[f32], sums: &mut [f32], add: bool) {
        let runs = |of: usize| RUN * of;
        self.weight_sums_of_run(
            &s[..s.len().min(runs(self.outputs))],
            &x[..x.len().min(runs(self.inputs))],
            sums,
            add,
        );
        if s.len() <= runs(self.outputs) {
            return;
        }
        // Runs are added with compensated (Kahan) summation.
        let (mut run, mut lost) = (vec![0.0; sums.len()], vec![0.0; sums.len()]);
        for (s, x) in s.chunks(runs(self.outputs)).zip(x.chunks(runs(self.inputs))).skip(1) {
            self.weight_sums_of_run(s, x, &mut run, false);
            for ((sum, lost), term) in sums.iter_mut().zip(&mut lost).zip(&run) {
                let term = term - *lost;
                let next = *sum + term;
                *lost = (next - *sum) - term;
                *sum = next;
            }
        }
    }

    fn weight_sums_of_run(&self, s: &[f32], x: &[f32], sums: &mut [f32], add: bool) {
        let samples = s.len() / self.outputs;
        let (s_t, x) =
            (Matrix::new(s, samples, self.outputs).transposed(), Matrix::new(x, samples, self.inputs));
        multiply_parallel(self.threads, Target::new(sums, self.outputs, self.inputs), add, s_t, x);
    }
}
