//! What operations that treat each sample by itself have in common.

use crate::Result;
use crate::model::memory::{product, zeros};
use crate::model::{Mode, Noise};
use std::fmt::Debug;

/// An operation on each sample by itself. Images lie as `[N, H, W, C]`; all slices are of the same few samples.
pub(super) trait Local: Debug + Send + Sync {
    /// The output of the inputs, one of them or, of a sum, several.
    fn forward(&self, call: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]);

    /// The signal at the input from the one at the output, plane by plane: `[g, u …, h]`, or `g` alone.
    fn backward(
        &self,
        call: &Call<'_>,
        passed: Passed<'_>,
        signal: &[&[f32]],
        to: &mut [&mut [f32]],
        scratch: &mut [f32],
    );

    /// The sums that the samples add to its parameters', if it has any.
    fn weighted(&self) -> Option<&dyn Weighted> {
        None
    }

    /// Elements of scratch memory that a call takes for `samples`.
    fn scratch(&self, _samples: usize) -> usize {
        0
    }

    /// Of an operation that is a product: rows that one sample has in it.
    fn rows(&self) -> Option<usize> {
        None
    }

    /// Operations of the forward pass on one sample, roughly: whether threads pay.
    fn work(&self) -> usize;
}

/// An operation with parameters.
pub(super) trait Weighted: Debug + Send + Sync {
    /// Numbers of its weight and its bias (there or not).
    fn sizes(&self) -> [usize; 2];

    /// The weight as the operation wants it, from the user's order.
    fn pack(&self, user: &[f32], packed: &mut [f32]) {
        packed.copy_from_slice(user);
    }

    /// And back.
    fn unpack(&self, packed: &[f32], user: &mut [f32]) {
        user.copy_from_slice(packed);
    }

    /// Adds to `sums` what the samples contribute. HesScale-R's `Σ u x` over a sample's positions is squared before it is
    /// added.
    fn add(&self, call: &Call<'_>, x: &[f32], signal: &[&[f32]], sums: &mut Sums, scratch: &mut [f32]);
}

/// What went through an operation forwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed<'a> {
    pub input: &'a [f32],
    pub output: &'a [f32],
}

/// Beside the numbers themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub mode: Mode,
    /// Packed; empty for an operation without.
    pub weight: &'a [f32],
    /// Each squared; only where there is a diagonal.
    pub squared: &'a [f32],
    /// Empty for none.
    pub bias: &'a [f32],
    pub noise: Noise,
    /// The samples' place in the batch.
    pub first: usize,
}

/// Sums of one operation's parameters over some samples, packed; those of the diagonal only where there is one.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub gradient: [Vec<f32>; 2],
    pub diagonal: [Vec<f32>; 2],
    /// Of one sample, for each u: what is squared before it is added. Of the bias for one u at a time.
    pub joint: [Vec<f32>; 2],
}

impl Sums {
    pub(super) fn new(sizes: [usize; 2], mode: Mode) -> Result<Sums> {
        let [weight, bias] = sizes;
        let zeros = |times, len| zeros("sums for parameters", product([times, len]));
        let both = |there: bool| Ok([zeros(there.into(), weight)?, zeros(there.into(), bias)?]);
        let (gradient, diagonal) = (both(true)?, both(mode.has_diagonal())?);
        Ok(Sums { gradient, diagonal, joint: [zeros(mode.rank(), weight)?, zeros(1, bias)?] })
    }

    pub(super) fn clear(&mut self) {
        self.gradient.iter_mut().chain(&mut self.diagonal).for_each(|sums| sums.fill(0.0));
    }

    pub(super) fn add(&mut self, other: &Sums) {
        let (all, others) = (self.gradient.iter_mut().chain(&mut self.diagonal), other.gradient.iter());
        all.zip(others.chain(&other.diagonal)).for_each(|(all, other)| add_to(all, other));
    }
}

/// Whether a plane is h, which meets squared numbers.
pub(super) fn is_diagonal(plane: usize, planes: usize) -> bool {
    plane > 0 && plane + 1 == planes
}

/// `to ← to + from`
pub(super) fn add_to(to: &mut [f32], from: &[f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || to.iter_mut().zip(from).for_each(|(to, from)| *to += from),
    );
}

/// `to ← to + from²`
pub(super) fn add_squares(to: &mut [f32], from: &[f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || to.iter_mut().zip(from).for_each(|(to, from)| *to += from * from),
    );
}

/// `to ← to + scale · from`
pub(super) fn add_scaled(to: &mut [f32], scale: f32, from: &[f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || to.iter_mut().zip(from).for_each(|(to, from)| *to += scale * from),
    );
}

/// `to ← to + scale · from²`
pub(super) fn add_scaled_squares(to: &mut [f32], scale: f32, from: &[f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || to.iter_mut().zip(from).for_each(|(to, from)| *to += scale * (from * from)),
    );
}

/// `to ← from²`
pub(super) fn square(to: &mut [f32], from: &[f32]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || to.iter_mut().zip(from).for_each(|(to, from)| *to = from * from),
    );
}

/// Rows that are summed before the next are begun: shorter chains round less.
const RUN: usize = 32;

/// Adds the sum of all rows of `s`, `[rows, columns]`: of runs of rows, runs of runs, and so on.
pub(super) fn add_columns(to: &mut [f32], s: &[f32]) {
    let columns = to.len();
    let mut part = columns;
    while part * RUN < s.len() {
        part *= RUN;
    }
    if part == columns {
        return s.chunks_exact(columns).for_each(|row| add_to(to, row));
    }
    let mut run = vec![0.0; columns];
    for rows in s.chunks(part) {
        run.fill(0.0);
        add_columns(&mut run, rows);
        add_to(to, &run);
    }
}

/// The sums of a bias that acts on each of the `columns` of every row of a sample.
pub(super) fn add_bias(signal: &[&[f32]], sample: usize, sums: &mut Sums) {
    let planes = signal.len();
    for (plane, s) in signal.iter().enumerate() {
        let to = match plane {
            0 => &mut sums.gradient[1],
            _ => &mut sums.diagonal[1],
        };
        if plane == 0 || is_diagonal(plane, planes) {
            add_columns(to, s);
            continue;
        }
        for s in s.chunks_exact(sample) {
            sums.joint[1].fill(0.0);
            add_columns(&mut sums.joint[1], s);
            add_squares(to, &sums.joint[1]);
        }
    }
}
