//! Attention on the CPU, head by head, as products of matrices: the rules of `reference/layer/attention.rs`.

use crate::host::math::exp;
use crate::host::product::{Matrix, Target, multiply};
use crate::host::vector::{square, vectorized};
use crate::host::{Call, SampleOp, is_diagonal};
use crate::model::Heads;

/// Queries, keys and values: which of the three a channel belongs to.
const Q: usize = 0;
const K: usize = 1;
const V: usize = 2;

/// On samples `[positions, 3 channels]`.
#[derive(Debug)]
pub(crate) struct Attend(pub Heads);

/// Where a head is worked on; all but the last are `[positions, positions]`.
struct Room<'a> {
    /// p, 0 where a query does not see.
    weights: &'a mut [f32],
    /// p²
    squares: &'a mut [f32],
    /// `g_p − ḡ`, for the second derivatives in h.
    slopes: &'a mut [f32],
    /// What arrives at p of a component, then at the scores.
    scores: &'a mut [f32],
    /// The squares of a sample.
    input: &'a mut [f32],
}

impl Attend {
    /// Elements of a sample's input and output.
    fn sizes(&self) -> [usize; 2] {
        let output = self.0.channels() * self.0.positions;
        [3 * output, output]
    }

    fn room<'a>(&self, scratch: &'a mut [f32]) -> Room<'a> {
        let each = self.0.positions * self.0.positions;
        let (weights, rest) = scratch.split_at_mut(each);
        let (squares, rest) = rest.split_at_mut(each);
        let (slopes, rest) = rest.split_at_mut(each);
        let (scores, rest) = rest.split_at_mut(each);
        Room { weights, squares, slopes, scores, input: &mut rest[..self.sizes()[0]] }
    }

    /// A head's queries, keys or values in a sample, `[positions, width]`.
    fn part<'a>(&self, x: &'a [f32], part: usize, head: usize) -> Matrix<'a> {
        let first = part * self.0.channels() + head * self.0.width;
        Matrix::strided(&x[first..], self.0.positions, self.0.width, 3 * self.0.channels())
    }

    fn part_mut<'a>(&self, x: &'a mut [f32], part: usize, head: usize) -> Target<'a> {
        let first = part * self.0.channels() + head * self.0.width;
        Target::strided(&mut x[first..], self.0.positions, self.0.width, 3 * self.0.channels())
    }

    /// A head's part of a sample of the output.
    fn behind<'a>(&self, z: &'a [f32], head: usize) -> Matrix<'a> {
        let first = head * self.0.width;
        Matrix::strided(&z[first..], self.0.positions, self.0.width, self.0.channels())
    }

    fn square<'a>(&self, of: &'a [f32]) -> Matrix<'a> {
        Matrix::new(of, self.0.positions, self.0.positions)
    }

    fn square_mut<'a>(&self, of: &'a mut [f32]) -> Target<'a> {
        Target::new(of, self.0.positions, self.0.positions)
    }

    /// Fills in p.
    fn attend(&self, head: usize, x: &[f32], weights: &mut [f32]) {
        let keys = self.part(x, K, head).transposed();
        multiply(self.square_mut(weights), false, self.part(x, Q, head), keys);
        let scale = self.0.scale() as f32;
        for (i, row) in weights.chunks_exact_mut(self.0.positions).enumerate() {
            let (seen, rest) = row.split_at_mut(self.0.seen(i));
            softmax(seen, scale);
            rest.fill(0.0);
        }
    }

    /// Turns what arrives at p into what arrives at the scores, times their scale; keeps the slopes of g.
    fn through_softmax(&self, component: Component, room: &mut Room<'_>) {
        let positions = self.0.positions;
        let scale = self.0.scale() as f32;
        for i in 0..positions {
            let (row, seen) = (i * positions..(i + 1) * positions, self.0.seen(i));
            let (to, rest) = room.scores[row.clone()].split_at_mut(seen);
            let (p, slopes) = (&room.weights[row.clone()][..seen], &mut room.slopes[row][..seen]);
            vectorized(
                #[inline(always)]
                || match component {
                    Component::Diagonal { curved } => {
                        let sum: f32 = p.iter().zip(&*to).map(|(p, h)| p * p * h).sum();
                        let curved = f32::from(curved);
                        for ((to, p), slope) in to.iter_mut().zip(p).zip(&*slopes) {
                            let rest = 1.0 - 2.0 * p;
                            let h = p * p * (*to * rest + sum) + curved * (p * rest * slope);
                            *to = scale * scale * h;
                        }
                    }
                    Component::Gradient | Component::Vector => {
                        let mean: f32 = p.iter().zip(&*to).map(|(p, s)| p * s).sum();
                        to.iter_mut().for_each(|to| *to -= mean);
                        if component == Component::Gradient {
                            slopes.copy_from_slice(to);
                        }
                        to.iter_mut().zip(p).for_each(|(to, p)| *to *= scale * p);
                    }
                },
            );
            rest.fill(0.0);
        }
    }

    /// A component of the signal through a head of a sample.
    fn through(
        &self,
        head: usize,
        component: Component,
        x: &[f32],
        s: &[f32],
        to: &mut [f32],
        room: &mut Room<'_>,
    ) {
        let s = self.behind(s, head);
        let squared = matches!(component, Component::Diagonal { .. });
        let values = self.part(if squared { room.input } else { x }, V, head);
        multiply(self.square_mut(room.scores), false, s, values.transposed());
        self.through_softmax(component, room);
        let (x, weights) = if squared { (&*room.input, &*room.squares) } else { (x, &*room.weights) };
        let (scores, weights) = (self.square(room.scores), self.square(weights));
        multiply(self.part_mut(to, Q, head), false, scores, self.part(x, K, head));
        multiply(self.part_mut(to, K, head), false, scores.transposed(), self.part(x, Q, head));
        multiply(self.part_mut(to, V, head), false, weights.transposed(), s);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Component {
    Gradient,
    Vector,
    /// h, with the softmax's second derivatives or without.
    Diagonal {
        curved: bool,
    },
}

/// `softmax(scale · row)`; all NaN where a number of the row is.
fn softmax(row: &mut [f32], scale: f32) {
    vectorized(
        #[inline(always)]
        || {
            row.iter_mut().for_each(|s| *s *= scale);
            let most = row.iter().fold(f32::NEG_INFINITY, |most, s| most.max(*s));
            row.iter_mut().for_each(|s| *s = exp(*s - most));
            let total: f64 = row.iter().map(|e| f64::from(*e)).sum();
            let inverse = (1.0 / total) as f32;
            row.iter_mut().for_each(|e| *e *= inverse);
        },
    );
}

impl SampleOp for Attend {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]) {
        let [inputs_of, outputs_of] = self.sizes();
        let room = self.room(scratch);
        for (x, z) in inputs[0].chunks_exact(inputs_of).zip(output.chunks_exact_mut(outputs_of)) {
            for head in 0..self.0.count {
                self.attend(head, x, room.weights);
                let z = &mut z[head * self.0.width..];
                let z = Target::strided(z, self.0.positions, self.0.width, self.0.channels());
                multiply(z, false, self.square(room.weights), self.part(x, V, head));
            }
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        let [inputs_of, outputs_of] = self.sizes();
        let mut room = self.room(scratch);
        for (n, x) in call.input.chunks_exact(inputs_of).enumerate() {
            if call.mode.has_diagonal() {
                square(room.input, x);
            }
            for head in 0..self.0.count {
                self.attend(head, x, room.weights);
                if call.mode.has_diagonal() {
                    square(room.squares, room.weights);
                }
                for (k, (s, to)) in signal.iter().zip(&mut *to).enumerate() {
                    let component = match k {
                        0 => Component::Gradient,
                        _ if is_diagonal(k, signal.len()) => {
                            Component::Diagonal { curved: call.mode.is_curved() }
                        }
                        _ => Component::Vector,
                    };
                    let s = &s[n * outputs_of..(n + 1) * outputs_of];
                    let to = &mut to[n * inputs_of..(n + 1) * inputs_of];
                    self.through(head, component, x, s, to, &mut room);
                }
            }
        }
    }

    fn scratch(&self, _: usize, _: usize) -> usize {
        4 * self.0.positions * self.0.positions + self.sizes()[0]
    }

    fn work(&self) -> usize {
        4 * self.0.weights() * self.0.width
    }
}
