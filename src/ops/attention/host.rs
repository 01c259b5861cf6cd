//! Attention on the CPU, head by head: the rules of `reference/layer/attention.rs`.

use crate::host::math::exp;
use crate::host::vector::add_scaled;
use crate::host::{Call, SampleOp, is_diagonal};
use crate::model::{Heads, Mode};

/// Queries, keys and values: which of the three a channel belongs to.
const Q: usize = 0;
const K: usize = 1;
const V: usize = 2;

/// On samples `[positions, 3 channels]`.
#[derive(Debug)]
pub(crate) struct Attend(pub Heads);

/// Where a head's numbers are worked on.
struct Room<'a> {
    /// Keys and values, `[width, positions]`.
    keys: &'a mut [f32],
    values: &'a mut [f32],
    /// p, and what arrives at it: `[positions, positions]`.
    weights: &'a mut [f32],
    /// `g_p − ḡ`, for the second derivatives in h.
    slopes: &'a mut [f32],
    scores: &'a mut [f32],
}

impl Attend {
    fn sizes(&self) -> [usize; 3] {
        [self.0.channels(), self.0.width, self.0.positions]
    }

    fn room<'a>(&self, scratch: &'a mut [f32]) -> Room<'a> {
        let [_, width, positions] = self.sizes();
        let (keys, rest) = scratch.split_at_mut(width * positions);
        let (values, rest) = rest.split_at_mut(width * positions);
        let (weights, rest) = rest.split_at_mut(positions * positions);
        let (slopes, rest) = rest.split_at_mut(positions * positions);
        Room { keys, values, weights, slopes, scores: &mut rest[..positions * positions] }
    }

    /// A head's numbers at a position.
    fn at(&self, part: usize, head: usize, position: usize) -> std::ops::Range<usize> {
        let [channels, width, _] = self.sizes();
        let first = (3 * position + part) * channels + head * width;
        first..first + width
    }

    /// A head's numbers at a position of the output.
    fn behind(&self, head: usize, position: usize) -> std::ops::Range<usize> {
        let [channels, width, _] = self.sizes();
        let first = position * channels + head * width;
        first..first + width
    }

    /// Fills in keys, values and p.
    fn attend(&self, head: usize, x: &[f32], room: &mut Room<'_>) {
        let [_, _, positions] = self.sizes();
        for (part, to) in [(K, &mut *room.keys), (V, &mut *room.values)] {
            for j in 0..positions {
                for (c, value) in x[self.at(part, head, j)].iter().enumerate() {
                    to[c * positions + j] = *value;
                }
            }
        }
        let scale = self.0.scale() as f32;
        for (i, row) in room.weights.chunks_exact_mut(positions).enumerate() {
            let row = &mut row[..self.0.seen(i)];
            row.fill(0.0);
            for (q, keys) in x[self.at(Q, head, i)].iter().zip(room.keys.chunks_exact(positions)) {
                add_scaled(row, *q, &keys[..row.len()]);
            }
            softmax(row, scale);
        }
    }

    /// What arrives at p of position i: `Σ_c f_c s_c`, `f` values or their squares.
    fn at_weights(&self, s: &[f32], squared: bool, values: &[f32], row: &mut [f32]) {
        row.fill(0.0);
        for (s, values) in s.iter().zip(values.chunks_exact(self.0.positions)) {
            let values = &values[..row.len()];
            if squared {
                row.iter_mut().zip(values).for_each(|(to, v)| *to += s * (v * v));
            } else {
                add_scaled(row, *s, values);
            }
        }
    }

    /// Fills in what arrives at the scores of a component, and of g its slopes.
    fn at_scores(&self, head: usize, s: &[f32], component: Component, room: &mut Room<'_>) {
        let positions = self.0.positions;
        for i in 0..positions {
            let row = i * positions..i * positions + self.0.seen(i);
            let (p, to) = (&room.weights[row.clone()], &mut room.scores[row.clone()]);
            self.at_weights(&s[self.behind(head, i)], component.squared(), room.values, to);
            if let Component::Diagonal { curved } = component {
                let sum: f32 = p.iter().zip(&*to).map(|(p, h)| p * p * h).sum();
                let slopes = &room.slopes[row];
                for ((to, p), slope) in to.iter_mut().zip(p).zip(slopes) {
                    let second = if curved { p * (1.0 - 2.0 * p) * slope } else { 0.0 };
                    *to = p * p * (*to * (1.0 - 2.0 * p) + sum) + second;
                }
                continue;
            }
            let mean: f32 = p.iter().zip(&*to).map(|(p, s)| p * s).sum();
            to.iter_mut().for_each(|to| *to -= mean);
            if component == Component::Gradient {
                room.slopes[row].copy_from_slice(to);
            }
            to.iter_mut().zip(p).for_each(|(to, p)| *to *= p);
        }
    }

    /// `to ← to +` what the scores and p pass on of a component.
    fn spread(&self, head: usize, x: &[f32], s: &[f32], squared: bool, room: &Room<'_>, to: &mut [f32]) {
        let positions = self.0.positions;
        let scale = self.0.scale() as f32;
        let scale = if squared { scale * scale } else { scale };
        let add = |to: &mut [f32], by: f32, from: &[f32]| {
            if squared {
                to.iter_mut().zip(from).for_each(|(to, x)| *to += by * (x * x));
            } else {
                add_scaled(to, by, from);
            }
        };
        for i in 0..positions {
            for j in 0..self.0.seen(i) {
                let (p, score) = (room.weights[i * positions + j], scale * room.scores[i * positions + j]);
                let p = if squared { p * p } else { p };
                add(&mut to[self.at(Q, head, i)], score, &x[self.at(K, head, j)]);
                add(&mut to[self.at(K, head, j)], score, &x[self.at(Q, head, i)]);
                add_scaled(&mut to[self.at(V, head, j)], p, &s[self.behind(head, i)]);
            }
        }
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

impl Component {
    fn squared(self) -> bool {
        matches!(self, Component::Diagonal { .. })
    }
}

/// `softmax(scale · row)`; NaN where a number of the row is.
fn softmax(row: &mut [f32], scale: f32) {
    row.iter_mut().for_each(|s| *s *= scale);
    let most = row.iter().fold(f32::NEG_INFINITY, |most, s| most.max(*s));
    row.iter_mut().for_each(|s| *s = exp(*s - most));
    let total: f64 = row.iter().map(|e| f64::from(*e)).sum();
    let inverse = (1.0 / total) as f32;
    row.iter_mut().for_each(|e| *e *= inverse);
}

impl SampleOp for Attend {
    fn forward(&self, _: &Call<'_>, inputs: &[&[f32]], output: &mut [f32], scratch: &mut [f32]) {
        let [channels, _, positions] = self.sizes();
        let mut room = self.room(scratch);
        let samples = inputs[0].chunks_exact(3 * channels * positions);
        for (x, z) in samples.zip(output.chunks_exact_mut(channels * positions)) {
            z.fill(0.0);
            for head in 0..self.0.count {
                self.attend(head, x, &mut room);
                for i in 0..positions {
                    let to = &mut z[self.behind(head, i)];
                    for j in 0..self.0.seen(i) {
                        add_scaled(to, room.weights[i * positions + j], &x[self.at(V, head, j)]);
                    }
                }
            }
        }
    }

    fn backward(&self, call: &Call<'_>, signal: &[&[f32]], to: &mut [&mut [f32]], scratch: &mut [f32]) {
        let [channels, _, positions] = self.sizes();
        let (inputs, outputs) = (3 * channels * positions, channels * positions);
        let mut room = self.room(scratch);
        to.iter_mut().for_each(|to| to.fill(0.0));
        for (n, x) in call.input.chunks_exact(inputs).enumerate() {
            for head in 0..self.0.count {
                self.attend(head, x, &mut room);
                for (k, (s, to)) in signal.iter().zip(&mut *to).enumerate() {
                    let component = match k {
                        0 => Component::Gradient,
                        _ if is_diagonal(k, signal.len()) => {
                            Component::Diagonal { curved: call.mode != Mode::HesScaleGn }
                        }
                        _ => Component::Vector,
                    };
                    let s = &s[n * outputs..(n + 1) * outputs];
                    self.at_scores(head, s, component, &mut room);
                    let to = &mut to[n * inputs..(n + 1) * inputs];
                    self.spread(head, x, s, component.squared(), &room, to);
                }
            }
        }
    }

    fn scratch(&self, _: usize) -> usize {
        let [_, width, positions] = self.sizes();
        2 * width * positions + 3 * positions * positions
    }

    fn work(&self) -> usize {
        4 * self.0.weights() * self.0.width
    }
}
