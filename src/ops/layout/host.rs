//! Conversion between layouts on the CPU.

use crate::host::{Call, SampleOp};

/// Transposes each sample from `[rows, columns]` to `[columns, rows]`: from the user's channels first to channels last, or back.
#[derive(Debug)]
pub(crate) struct Reorder {
    pub from: [usize; 2],
}

impl SampleOp for Reorder {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], _: &mut [f32]) {
        transpose_each(inputs[0], output, self.from);
    }

    fn backward(&self, _: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], _: &mut [f32]) {
        let [rows, columns] = self.from;
        signal.iter().zip(to).for_each(|(s, to)| transpose_each(s, to, [columns, rows]));
    }

    fn work(&self) -> usize {
        8 * self.from[0] * self.from[1]
    }
}

/// Transposes each matrix `[rows, columns]` of `from`.
pub(crate) fn transpose_each(from: &[f32], to: &mut [f32], [rows, columns]: [usize; 2]) {
    let size = rows * columns;
    for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
        for (row, from) in from.chunks_exact(columns).enumerate() {
            from.iter().enumerate().for_each(|(column, x)| to[column * rows + row] = *x);
        }
    }
}
