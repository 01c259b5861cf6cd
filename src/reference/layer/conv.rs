//! Convolutions and their transposes: each weight connects positions of the input with positions of the output.

use super::{Linear, Sums, Weighted, power, total};
use crate::model::{Convolution, Window};
use crate::reference::Real;
use std::ops::Range;

pub(super) struct Convolve<'a, T> {
    inputs: Plane,
    outputs: Plane,
    groups: usize,
    /// Whether the weight is `[in, out/groups, taps]` rather than `[out, in/groups, taps]`.
    transposed: bool,
    /// Of each element of the kernel, the pairs of an input's and an output's place that it joins.
    joins: Vec<Vec<[usize; 2]>>,
    weight: &'a [T],
    /// Empty for none.
    bias: &'a [T],
}

/// Images of one side.
struct Plane {
    channels: usize,
    /// Places of one channel.
    places: usize,
}

impl Plane {
    fn size(&self) -> usize {
        self.channels * self.places
    }

    fn channel(&self, channel: usize) -> Range<usize> {
        channel * self.places..(channel + 1) * self.places
    }
}

impl<'a, T> Convolve<'a, T> {
    pub(super) fn new(shape: &Convolution, weight: &'a [T], bias: &'a [T]) -> Convolve<'a, T> {
        let Window { image, positions, kernel, .. } = shape.window;
        let taps = (0..kernel[0]).flat_map(|row| (0..kernel[1]).map(move |column| [row, column]));
        let (image, positions) = (image.iter().product(), positions.iter().product());
        let sides = if shape.transposed { [positions, image] } else { [image, positions] };
        Convolve {
            inputs: Plane { channels: shape.inputs, places: sides[0] },
            outputs: Plane { channels: shape.outputs, places: sides[1] },
            groups: shape.groups,
            transposed: shape.transposed,
            joins: taps.map(|tap| joins(&shape.window, tap, shape.transposed)).collect(),
            weight,
            bias,
        }
    }

    /// Channels of input and output that each kernel joins, in the weight's order.
    fn pairs(&self) -> impl Iterator<Item = [usize; 2]> {
        let (inputs, outputs) = (self.inputs.channels / self.groups, self.outputs.channels / self.groups);
        let (transposed, behind) = (self.transposed, if self.transposed { outputs } else { inputs });
        (0..self.groups * inputs * outputs).map(move |index| {
            let (first, second) = (index / behind, index % behind);
            if transposed {
                [first, first / inputs * outputs + second]
            } else {
                [first / outputs * inputs + second, first]
            }
        })
    }
}

impl<T: Real> Convolve<'_, T> {
    /// `A x`, or backwards `Aᵀ x`, of A's numbers or of their squares.
    fn product(&self, x: &[T], backwards: bool, squared: bool) -> Vec<T> {
        let sides = [&self.inputs, &self.outputs];
        let (from, to) = if backwards { (1, 0) } else { (0, 1) };
        let mut result = vec![T::zero(); x.len() / sides[from].size() * sides[to].size()];
        // One kernel's share is summed by itself: shorter chains round less.
        let mut share = vec![T::zero(); sides[to].places];
        for (result, x) in result.chunks_exact_mut(sides[to].size()).zip(x.chunks_exact(sides[from].size())) {
            for (kernel, pair) in self.weight.chunks_exact(self.joins.len()).zip(self.pairs()) {
                let x = &x[sides[from].channel(pair[from])];
                share.fill(T::zero());
                for (w, joins) in kernel.iter().zip(&self.joins) {
                    let w = power(*w, squared);
                    joins.iter().for_each(|join| share[join[to]] += w * x[join[from]]);
                }
                let result = &mut result[sides[to].channel(pair[to])];
                result.iter_mut().zip(&share).for_each(|(result, share)| *result += *share);
            }
        }
        result
    }
}

/// Where element `tap` of the window meets the image: pairs of an input's and an output's place.
fn joins(window: &Window, tap: [usize; 2], transposed: bool) -> Vec<[usize; 2]> {
    let mut joins = Vec::new();
    for row in 0..window.positions[0] {
        for column in 0..window.positions[1] {
            let covered = window.covers(0, row, tap[0]).zip(window.covers(1, column, tap[1]));
            let Some((image_row, image_column)) = covered else { continue };
            let place = image_row * window.image[1] + image_column;
            let position = row * window.positions[1] + column;
            joins.push(if transposed { [position, place] } else { [place, position] });
        }
    }
    joins
}

impl<T: Real> Linear<T> for Convolve<'_, T> {
    fn forward(&self, x: &[T]) -> Vec<T> {
        let mut z = self.product(x, false, false);
        for (channel, b) in z.chunks_exact_mut(self.outputs.places).zip(self.bias.iter().cycle()) {
            channel.iter_mut().for_each(|z| *z += *b);
        }
        z
    }

    fn transposed(&self, _: &[T], s: &[T], squared: bool) -> Vec<T> {
        self.product(s, true, squared)
    }

    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        Some(self)
    }
}

impl<T: Real> Weighted<T> for Convolve<'_, T> {
    fn shared(&self) -> bool {
        true
    }

    fn sizes(&self) -> [usize; 2] {
        [self.inputs.size(), self.outputs.size()]
    }

    fn zeros(&self) -> Sums<T> {
        Sums::zeros(self.weight.len(), self.outputs.channels)
    }

    fn add_products(&self, x: &[T], s: &[T], sums: &mut Sums<T>) {
        for (kernel, [input, output]) in sums.weight.chunks_exact_mut(self.joins.len()).zip(self.pairs()) {
            let (x, s) = (&x[self.inputs.channel(input)], &s[self.outputs.channel(output)]);
            for (sum, joins) in kernel.iter_mut().zip(&self.joins) {
                *sum += total(joins.iter().map(|[i, o]| s[*o] * x[*i]));
            }
        }
        for (sum, s) in sums.bias.iter_mut().zip(s.chunks_exact(self.outputs.places)) {
            *sum += total(s.iter().copied());
        }
    }
}
