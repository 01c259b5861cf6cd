//! Embeddings on the CPU.

use crate::host::vector::{add_squares, add_to};
use crate::host::{Call, SampleOp, Sums, Weighted, is_diagonal};
use crate::model::Embedding;

/// `z[q, c] = W[x[q], c]`, images `[positions, width]`.
#[derive(Debug)]
pub(crate) struct Select {
    pub table: Embedding,
    pub positions: usize,
}

impl Select {
    /// The numbers of a row.
    fn of<'a>(&self, numbers: &'a mut [f32], row: usize) -> &'a mut [f32] {
        &mut numbers[row * self.table.width..][..self.table.width]
    }
}

impl SampleOp for Select {
    /// What is no row was refused before; it would be NaN.
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        let width = self.table.width;
        for (x, z) in inputs[0].iter().zip(output.chunks_exact_mut(width)) {
            match self.table.row(f64::from(*x)) {
                Some(row) => z.copy_from_slice(&call.weight[row * width..][..width]),
                None => z.fill(f32::NAN),
            }
        }
    }

    fn backward(&self, _: &Call<'_>, _: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        to.iter_mut().for_each(|to| to.fill(0.0));
    }

    fn weighted(&self) -> Option<&dyn Weighted> {
        Some(self)
    }

    fn work(&self) -> usize {
        4 * self.positions * self.table.width
    }
}

impl Weighted for Select {
    fn sizes(&self) -> [usize; 2] {
        [self.table.count * self.table.width, 0]
    }

    fn add(&self, _: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, _: &mut [f32]) {
        let width = self.table.width;
        let Sums { gradient, diagonal, .. } = sums;
        let mut selected: Vec<(usize, usize)> = Vec::with_capacity(self.positions);
        let mut run = vec![0.0; width];
        for (n, x) in x.chunks_exact(self.positions).enumerate() {
            selected.clear();
            let rows = x.iter().enumerate().filter_map(|(q, x)| Some((self.table.row(f64::from(*x))?, q)));
            selected.extend(rows);
            selected.sort_unstable();
            for alike in selected.chunk_by(|a, b| a.0 == b.0) {
                let row = alike[0].0;
                for (component, s) in signal.iter().enumerate() {
                    run.fill(0.0);
                    for (_, q) in alike {
                        add_to(&mut run, &s[(n * self.positions + q) * width..][..width]);
                    }
                    match component {
                        0 => add_to(self.of(&mut gradient[0], row), &run),
                        _ if is_diagonal(component, signal.len()) => {
                            add_to(self.of(&mut diagonal[0], row), &run);
                        }
                        _ => add_squares(self.of(&mut diagonal[0], row), &run),
                    }
                }
            }
        }
    }
}
