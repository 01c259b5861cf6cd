//! Convolutions and their transposes: weights that join places of the input with places of the output.

use super::{Linear, Sums, Weighted, power};
use crate::model::{Convolution, Window};
use crate::reference::Real;

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
}

/// One weight: its index, and the channels that it joins.
struct Weight {
    index: usize,
    tap: usize,
    input: usize,
    output: usize,
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

    /// Every weight in its order.
    fn weights(&self) -> impl Iterator<Item = Weight> {
        let (inputs, outputs) = (self.inputs.channels / self.groups, self.outputs.channels / self.groups);
        let (taps, behind) = (self.joins.len(), if self.transposed { outputs } else { inputs });
        (0..self.weight.len()).map(move |index| {
            let (first, second) = (index / taps / behind, index / taps % behind);
            let (input, output) = if self.transposed {
                (first, first / inputs * outputs + second)
            } else {
                (first / outputs * inputs + second, first)
            };
            Weight {
                index,
                tap: index % taps,
                input: input * self.inputs.places,
                output: output * self.outputs.places,
            }
        })
    }

    /// Input's and output's places, in a sample, of what a weight joins.
    fn joined(&self, weight: &Weight) -> impl Iterator<Item = [usize; 2]> {
        let (input, output) = (weight.input, weight.output);
        self.joins[weight.tap].iter().map(move |[i, o]| [input + i, output + o])
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
        let mut z = vec![T::zero(); x.len() / self.inputs.size() * self.outputs.size()];
        for (z, x) in z.chunks_exact_mut(self.outputs.size()).zip(x.chunks_exact(self.inputs.size())) {
            for weight in self.weights() {
                let w = self.weight[weight.index];
                self.joined(&weight).for_each(|[i, o]| z[o] += w * x[i]);
            }
            for (channel, b) in z.chunks_exact_mut(self.outputs.places).zip(self.bias) {
                channel.iter_mut().for_each(|z| *z += *b);
            }
        }
        z
    }

    fn transposed(&self, _: &[T], s: &[T], squared: bool) -> Vec<T> {
        let mut result = vec![T::zero(); s.len() / self.outputs.size() * self.inputs.size()];
        for (result, s) in
            result.chunks_exact_mut(self.inputs.size()).zip(s.chunks_exact(self.outputs.size()))
        {
            for weight in self.weights() {
                let w = power(self.weight[weight.index], squared);
                self.joined(&weight).for_each(|[i, o]| result[i] += w * s[o]);
            }
        }
        result
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
        for weight in self.weights() {
            let products = self.joined(&weight).map(|[i, o]| s[o] * x[i]);
            sums.weight[weight.index] += products.fold(T::zero(), |sum, product| sum + product);
        }
        for (sum, channel) in sums.bias.iter_mut().zip(s.chunks_exact(self.outputs.places)) {
            *sum += channel.iter().fold(T::zero(), |sum, s| sum + *s);
        }
    }
}
