//! The rules of each layer: forward, the signal to its input, its parameters' sums.
//!
//! All layers but the elementwise functions, the encodings, attention, recurrent layers and the normalisations by a sample's or a batch's
//! statistics are linear maps where they stand, so one rule serves them: g and u go through `Aᵀ`, h through `(A∘A)ᵀ`. A new layer type is a new [`Linear`],
//! and [`Weighted`] where it has parameters.

pub(super) mod act;
mod attention;
mod batch_statistics;
mod batchnorm;
mod conv;
mod dense;
mod dropout;
mod embedding;
mod encode;
mod hashgrid;
#[cfg(test)]
#[path = "../../../tests/unit/mirror/reference.rs"]
mod mirror;
mod norm;
mod pixelshuffle;
mod pool;
mod positions;
mod prelu;
mod recurrent;
mod resample;
mod zeropad;

use super::{Real, Signal};
use crate::model::{Activation, Layer, Mode, Model, NodeKind, Role};
use crate::{Error, Result};
use act::activation;
use attention::Attend;
use batch_statistics::Standardize;
use batchnorm::Normalize;
use conv::Convolve;
use dense::Dense;
pub(super) use dropout::Draw;
use dropout::Dropout;
use embedding::Select;
use encode::Encode;
use hashgrid::Interpolate;
use pixelshuffle::Shuffle;
use pool::{Average, Maximum};
use positions::Positions;
use prelu::Slopes;
use recurrent::Recur;
use resample::Resample;
use std::borrow::Cow;
use zeropad::Pad;

/// A map `z = A x + b` on each sample of a batch.
pub(super) trait Linear<T: Real> {
    /// The output `[N, out]` for the input `[N, in]`.
    fn forward(&self, x: &[T]) -> Vec<T>;

    /// `Aᵀ s`, or with A's squared numbers `(A∘A)ᵀ s`; empty for an empty `s`. A may depend on the input, as where max
    /// pooling finds its maxima and PReLU what is above 0.
    fn transposed(&self, x: &[T], s: &[T], squared: bool) -> Vec<T>;

    /// The same map, if it has parameters.
    fn weighted(&self) -> Option<&dyn Weighted<T>> {
        None
    }
}

/// A map with parameters, in which it is linear: `z = W x̂ + b`.
pub(super) trait Weighted<T: Real> {
    /// Whether a parameter acts at several positions of a sample. Contributions there add up before they are squared.
    fn shared(&self) -> bool;

    /// Numbers per sample of input and output.
    fn sizes(&self) -> [usize; 2];

    fn zeros(&self) -> Sums<T>;

    /// x̂, what the weight multiplies.
    fn features(&self, x: &[T]) -> Vec<T> {
        x.to_vec()
    }

    /// x̂², what it multiplies in the diagonal.
    fn squares(&self, features: &[T]) -> Vec<T> {
        features.iter().map(|x| x.squared()).collect()
    }

    /// Adds what one sample contributes: of each parameter, `Σ s x̂` over the places where it acts (x̂ = 1 for a bias).
    fn add_products(&self, features: &[T], s: &[T], sums: &mut Sums<T>);
}

/// What one kind of signal adds up to over the batch, in the shapes of the layer's weight and of the bias it has or
/// could have.
pub(super) struct Sums<T> {
    pub(super) weight: Vec<T>,
    pub(super) bias: Vec<T>,
}

impl<T: Real> Sums<T> {
    fn zeros(weight: usize, bias: usize) -> Sums<T> {
        Sums { weight: vec![T::zero(); weight], bias: vec![T::zero(); bias] }
    }

    fn add_squares(&mut self, other: &Sums<T>) {
        self.weight.iter_mut().zip(&other.weight).for_each(|(sum, x)| *sum += x.squared());
        self.bias.iter_mut().zip(&other.bias).for_each(|(sum, x)| *sum += x.squared());
    }
}

/// What a node does, its parameters at hand.
pub(super) enum Step<'a, T> {
    Linear(Box<dyn Linear<T> + 'a>),
    Elementwise(Activation),
    Normalize(norm::Normalize<'a, T>),
    Encode(Encode),
    /// By the statistics of the batch.
    Standardize(Standardize<'a, T>),
    Attend(Attend),
    Recur(Recur<'a, T>),
    /// The sum of its inputs: of a single one, the same numbers.
    Sum,
    /// The product of its two inputs.
    Product,
    /// Its two inputs, of so many numbers a sample, one behind the other.
    Concatenation([usize; 2]),
}

impl<'a, T: Real> Step<'a, T> {
    /// The step of `node`, its parameters taken from `parameters` (flat layout, length checked before). Without a `draw`
    /// dropout does nothing, and batch normalisation goes by its running statistics.
    pub(super) fn new(
        model: &'a Model,
        node: usize,
        parameters: &'a [T],
        draw: Option<Draw>,
    ) -> Result<Step<'a, T>> {
        let share = |role| model.parameter_of(node, role).map_or(&[][..], |p| &parameters[p.range()]);
        let (weight, bias) = (share(Role::Weight), share(Role::Bias));
        let spec = &model.nodes()[node];
        let NodeKind::Layer(layer) = &spec.kind else { return Ok(Step::Sum) };
        let input = model.shape_at(spec.inputs[0]);
        if let Some(shape) = layer.convolution(&spec.name(), input)? {
            return Ok(Step::linear(Convolve::new(&shape, weight, bias)));
        }
        if let Some(norm) = layer.normalization(&spec.name(), input)? {
            return Ok(Step::Normalize(norm::Normalize::new(norm, weight, bias)));
        }
        if let Some(heads) = layer.heads(&spec.name(), input)? {
            return Ok(Step::Attend(Attend::new(heads)));
        }
        if let Some(recurrence) = layer.recurrence(&spec.name(), input)? {
            return Ok(Step::Recur(Recur::new(recurrence, weight, bias)));
        }
        if let Some(encoding) = layer.encoding() {
            return Ok(Step::Encode(Encode::new(encoding, input)));
        }
        if let Some(resample) = Resample::new(layer, input) {
            return Ok(Step::linear(resample));
        }
        let window = layer.pooling(&spec.name(), input)?;
        Ok(match (layer, window) {
            (Layer::Dense { inputs, outputs, .. }, _) => {
                Step::linear(Dense { inputs: *inputs, outputs: *outputs, weight, bias })
            }
            (Layer::Embedding(table), _) => Step::linear(Select::new(*table, input.iter().product(), weight)),
            (Layer::HashGrid(grid), _) => {
                Step::linear(Interpolate::new(*grid, input.iter().product(), weight))
            }
            (Layer::Act(function), _) => {
                function.check_on_cpu(&spec.name())?;
                if T::VARIES && matches!(function, Activation::Custom(_)) {
                    return Err(Error::unsupported(spec.name(), "a closure of f64 in dual numbers"));
                }
                Step::Elementwise(*function)
            }
            (Layer::PositionEmbedding(_), _) => Step::linear(Positions(weight)),
            (Layer::PRelu(_), _) => Step::linear(Slopes::new(input, weight)),
            (Layer::MaxPool2d(_), Some(window)) => Step::linear(Maximum::new(&window)),
            (Layer::AvgPool2d(pool), Some(window)) => {
                Step::linear(Average::new(&window, pool.count_include_pad))
            }
            (Layer::AdaptiveAvgPool2d { output }, _) => {
                Step::linear(Average::adaptive([input[1], input[2]], *output))
            }
            (Layer::ZeroPad2d { padding }, _) => Step::linear(Pad::new(input, *padding)),
            (Layer::PixelShuffle { factor }, _) => Step::linear(Shuffle::new(input, *factor)),
            (Layer::PixelUnshuffle { factor }, _) => Step::linear(Shuffle::inverse(input, *factor)),
            (Layer::BatchNorm(norm), _) => {
                let positions = input[1..].iter().product();
                if norm.momentum.is_some() && draw.is_some() {
                    return Ok(Step::Standardize(Standardize::new(norm, positions, weight, bias)));
                }
                Step::linear(Normalize::new(norm, positions, weight, bias))
            }
            (Layer::Dropout { p }, _) => match draw {
                Some(draw) => {
                    let first = draw.first_sample * input.iter().product::<usize>();
                    Step::linear(Dropout { noise: draw.noise, node: node as u32, first, p: *p })
                }
                None => Step::Sum,
            },
            #[cfg(test)]
            (Layer::Mirror, _) => Step::linear(mirror::Mirror { features: input.iter().product() }),
            (Layer::Multiply { .. }, _) => Step::Product,
            (Layer::Concat { .. }, _) => {
                let len = |input: usize| model.shape_at(spec.inputs[input]).iter().product();
                Step::Concatenation([len(0), len(1)])
            }
            (Layer::Flatten | Layer::Identity, _) => Step::Sum,
            (Layer::Name { .. } | Layer::Add { .. }, _) => Step::Sum,
            _ => unreachable!("{}: every kind of layer has a step", spec.name()),
        })
    }

    fn linear(map: impl Linear<T> + 'a) -> Step<'a, T> {
        Step::Linear(Box::new(map))
    }

    /// The output for the inputs, one of them or, of a sum, several.
    pub(super) fn forward(&self, inputs: &[&[T]]) -> Vec<T> {
        let x = inputs[0];
        match self {
            Step::Linear(map) => map.forward(x),
            Step::Elementwise(function) => x.iter().map(|a| activation(*function, *a)[0]).collect(),
            Step::Normalize(norm) => norm.forward(x),
            Step::Encode(encode) => encode.forward(x),
            Step::Standardize(norm) => norm.forward(x),
            Step::Attend(attend) => attend.forward(x),
            Step::Recur(recur) => recur.forward(x),
            Step::Sum => sum(inputs),
            Step::Product => x.iter().zip(inputs[1]).map(|(x, y)| *x * *y).collect(),
            Step::Concatenation([first, second]) => {
                let samples = x.chunks_exact(*first).zip(inputs[1].chunks_exact(*second));
                samples.flat_map(|(x, y)| x.iter().chain(y).copied()).collect()
            }
        }
    }

    /// The signal that goes to the input of this number, from the inputs and the signal at the output: the table at the head of
    /// [`reference`](crate::reference).
    pub(super) fn backward(
        &self,
        mode: Mode,
        inputs: &[&[T]],
        input: usize,
        signal: &Signal<T>,
    ) -> Signal<T> {
        let x = inputs[input];
        match self {
            Step::Linear(map) => Signal::new(
                map.transposed(x, &signal.g, false),
                map.transposed(x, signal.diagonal(), true),
                signal.u.iter().map(|u| map.transposed(x, u, false)).collect(),
            ),
            Step::Elementwise(function) => elementwise(*function, mode, x, signal),
            Step::Normalize(norm) => norm.backward(mode, x, signal),
            Step::Encode(encode) => encode.backward(mode, x, signal),
            Step::Standardize(norm) => norm.backward(mode, x, signal),
            Step::Attend(attend) => attend.backward(mode, x, signal),
            Step::Recur(recur) => recur.backward(mode, x, signal),
            Step::Sum => signal.clone(),
            // What x and y have in common is dropped: d²z/dx² = 0.
            Step::Product => {
                let y = inputs[1 - input];
                let times =
                    |s: &[T], squared| s.iter().zip(y).map(|(s, y)| power(*y, squared) * *s).collect();
                signal.through(|s| times(s, false), |h| times(h, true))
            }
            Step::Concatenation(sizes) => {
                let (all, first) = (sizes[0] + sizes[1], if input == 0 { 0 } else { sizes[0] });
                let part = |s: &[T]| -> Vec<T> {
                    s.chunks_exact(all).flat_map(|s| s[first..][..sizes[input]].iter().copied()).collect()
                };
                signal.through(part, part)
            }
        }
    }

    pub(super) fn weighted(&self) -> Option<&dyn Weighted<T>> {
        match self {
            Step::Linear(map) => map.weighted(),
            Step::Normalize(norm) => norm.weighted(),
            Step::Standardize(norm) => Some(norm),
            Step::Recur(recur) => Some(recur.product()),
            _ => None,
        }
    }

    /// What the map with the parameters reads, and the signal at its output: the step's own, but of a recurrent layer, which is not
    /// linear in its weight.
    pub(super) fn at_weight<'b>(
        &self,
        mode: Mode,
        [x, z]: [&'b [T]; 2],
        signal: &'b Signal<T>,
    ) -> (&'b [T], Cow<'b, Signal<T>>) {
        match self {
            Step::Recur(recur) => (z, Cow::Owned(recur.at_product(mode, x, signal))),
            _ => (x, Cow::Borrowed(signal)),
        }
    }

    /// Whether its output is linear in its parameters.
    pub(super) fn is_linear_in_parameters(&self) -> bool {
        !matches!(self, Step::Recur(_))
    }
}

fn elementwise<T: Real>(function: Activation, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
    let derivatives: Vec<[T; 3]> = x.iter().map(|a| activation(function, *a)).collect();
    let scaled = |s: &[T]| s.iter().zip(&derivatives).map(|(s, [_, d1, _])| *d1 * *s).collect();
    let diagonal = signal.diagonal().iter().zip(&derivatives);
    let mut h: Vec<T> = diagonal.map(|(h, [_, d1, _])| d1.squared() * *h).collect();
    if mode.is_curved() {
        // g is dL/dz at the function's output, before its own multiplication by f'.
        let curved = signal.g.iter().zip(&derivatives);
        h.iter_mut().zip(curved).for_each(|(h, (g, [_, _, d2]))| *h += *d2 * *g);
    }
    Signal::new(scaled(&signal.g), h, signal.u.iter().map(|u| scaled(u)).collect())
}

/// The gradient's sums over the batch: `Σ_n Σ_pos g x̂`.
pub(super) fn gradient_sums<T: Real>(map: &dyn Weighted<T>, x: &[T], g: &[T]) -> Sums<T> {
    let mut sums = map.zeros();
    add_batch(map, &map.features(x), g, &mut sums);
    sums
}

/// The diagonal's sums over the batch: `Σ_n [Σ_pos rest x̂² + Σ_j (Σ_pos u_j x̂)²]`. Where a parameter acts at one place
/// only, that is `Σ_n h x̂²`.
pub(super) fn diagonal_sums<T: Real>(map: &dyn Weighted<T>, x: &[T], signal: &Signal<T>) -> Sums<T> {
    let features = map.features(x);
    let squares = map.squares(&features);
    let mut sums = map.zeros();
    if !map.shared() {
        add_batch(map, &squares, &signal.h, &mut sums);
        return sums;
    }
    add_batch(map, &squares, signal.diagonal(), &mut sums);
    let [inputs, outputs] = map.sizes();
    for u in &signal.u {
        for (x, u) in features.chunks_exact(inputs).zip(u.chunks_exact(outputs)) {
            let mut joint = map.zeros();
            map.add_products(x, u, &mut joint);
            sums.add_squares(&joint);
        }
    }
    sums
}

fn add_batch<T: Real>(map: &dyn Weighted<T>, features: &[T], s: &[T], sums: &mut Sums<T>) {
    let [inputs, outputs] = map.sizes();
    for (x, s) in features.chunks_exact(inputs).zip(s.chunks_exact(outputs)) {
        map.add_products(x, s, sums);
    }
}

/// The sum at the end of a residual block, of inputs of equal shape. Its signal goes unchanged to each of them.
fn sum<T: Real>(inputs: &[&[T]]) -> Vec<T> {
    let mut sum = inputs[0].to_vec();
    for other in &inputs[1..] {
        sum.iter_mut().zip(*other).for_each(|(sum, x)| *sum += *x);
    }
    sum
}

fn power<T: Real>(x: T, squared: bool) -> T {
    if squared { x.squared() } else { x }
}

/// A sum in eight partial sums: shorter chains round less.
fn total<T: Real>(terms: impl Iterator<Item = T>) -> T {
    let mut partial = [T::zero(); 8];
    terms.enumerate().for_each(|(i, term)| partial[i % 8] += term);
    partial.into_iter().fold(T::zero(), |sum, part| sum + part)
}
