//! The rules of each layer: forward, the signal to its input, its parameters' sums.
//!
//! A new layer type is a new arm in each of the three functions of [`Step`]; nothing else here knows layer types.

use super::{Real, Signal, activation};
use crate::model::{Layer, Mode, Model, Role};

/// A layer with its parameters at hand; empty slices where it has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a, T> {
    layer: &'a Layer,
    weight: &'a [T],
    bias: &'a [T],
}

/// What one kind of signal adds up to over the batch, in the shapes of the layer's weight and of the bias it has or
/// could have.
pub(super) struct Sums<T> {
    pub(super) weight: Vec<T>,
    pub(super) bias: Vec<T>,
}

/// The model's layers, each with its share of `parameters` (flat layout, length checked before).
pub(super) fn steps<'a, T>(model: &'a Model, parameters: &'a [T]) -> Vec<Step<'a, T>> {
    let share = |layer, role| model.parameter(layer, role).map_or(&[][..], |p| &parameters[p.range()]);
    let step = |(i, layer)| Step { layer, weight: share(i, Role::Weight), bias: share(i, Role::Bias) };
    model.layers().iter().enumerate().map(step).collect()
}

impl<T: Real> Step<'_, T> {
    /// The layer's output `[N, out]` for its input `[N, in]`.
    pub(super) fn forward(&self, x: &[T]) -> Vec<T> {
        match self.layer {
            Layer::Dense { inputs, outputs, .. } => {
                let (inputs, outputs) = (*inputs, *outputs);
                let mut z = Vec::with_capacity(x.len() / inputs * outputs);
                for x in x.chunks_exact(inputs) {
                    z.extend(self.weight.chunks_exact(inputs).map(|w| dot(w, x)));
                }
                for z in z.chunks_exact_mut(outputs) {
                    z.iter_mut().zip(self.bias).for_each(|(z, b)| *z += *b);
                }
                z
            }
            Layer::Act(function) => x.iter().map(|a| activation(*function, *a)[0]).collect(),
            _ => x.to_vec(),
        }
    }

    /// The signal at the layer's input, from its input `x` and the signal at its output: the table at the head of
    /// [`reference`](super).
    pub(super) fn backward(&self, mode: Mode, x: &[T], signal: &Signal<T>) -> Signal<T> {
        match self.layer {
            Layer::Dense { inputs, outputs, .. } => {
                let (inputs, outputs) = (*inputs, *outputs);
                let w2: Vec<T> = self.weight.iter().map(|w| w.squared()).collect();
                let through = |s: &[T], w: &[T]| transposed_product(s, w, outputs, inputs);
                Signal::new(
                    through(&signal.g, self.weight),
                    through(signal.diagonal(), &w2),
                    signal.u.iter().map(|u| through(u, self.weight)).collect(),
                )
            }
            Layer::Act(function) => {
                let derivatives: Vec<[T; 3]> = x.iter().map(|a| activation(*function, *a)).collect();
                let scaled = |s: &[T]| s.iter().zip(&derivatives).map(|(s, [_, d1, _])| *d1 * *s).collect();
                let mut h: Vec<T> = signal
                    .diagonal()
                    .iter()
                    .zip(&derivatives)
                    .map(|(h, [_, d1, _])| d1.squared() * *h)
                    .collect();
                if mode != Mode::HesScaleGn {
                    // g is dL/dz at the function's output, before its own multiplication by f'.
                    let curved = signal.g.iter().zip(&derivatives);
                    h.iter_mut().zip(curved).for_each(|(h, (g, [_, _, d2]))| *h += *d2 * *g);
                }
                Signal::new(scaled(&signal.g), h, signal.u.iter().map(|u| scaled(u)).collect())
            }
            _ => signal.clone(),
        }
    }

    /// The gradient's sums and the diagonal's (where the signal has one) over the batch, or nothing for a layer without
    /// parameters. A dense layer's diagonal takes the whole `h`, vectors `u` included: `Σ_n (rest + Σ u²) x²`.
    pub(super) fn parameter_sums(&self, x: &[T], signal: &Signal<T>) -> Option<(Sums<T>, Option<Sums<T>>)> {
        match self.layer {
            Layer::Dense { inputs, outputs, .. } => {
                let (inputs, outputs) = (*inputs, *outputs);
                let sums = |s: &[T], x: &[T]| Sums {
                    weight: outer_sums(s, x, outputs, inputs),
                    bias: column_sums(s, outputs),
                };
                let diagonal = (!signal.h.is_empty()).then(|| {
                    let x2: Vec<T> = x.iter().map(|x| x.squared()).collect();
                    sums(&signal.h, &x2)
                });
                Some((sums(&signal.g, x), diagonal))
            }
            _ => None,
        }
    }
}

/// `Σ aᵢ bᵢ` in eight partial sums: shorter chains round less, and the compiler can keep them in one register.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut partial = [T::zero(); 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((sum, a), b) in partial.iter_mut().zip(a).zip(b) {
            *sum += *a * *b;
        }
    }
    partial.into_iter().fold(T::zero(), |sum, part| sum + part)
}

/// `s w` for every sample: `s` is `[N, outputs]`, `w` is `[outputs, inputs]`, the result `[N, inputs]`. Empty for an
/// empty `s`.
fn transposed_product<T: Real>(s: &[T], w: &[T], outputs: usize, inputs: usize) -> Vec<T> {
    let mut result = vec![T::zero(); s.len() / outputs * inputs];
    for (result, s) in result.chunks_exact_mut(inputs).zip(s.chunks_exact(outputs)) {
        for (w, s) in w.chunks_exact(inputs).zip(s) {
            result.iter_mut().zip(w).for_each(|(r, w)| *r += *s * *w);
        }
    }
    result
}

/// `Σ_n s[n,o] x[n,i]`, shape `[outputs, inputs]`.
fn outer_sums<T: Real>(s: &[T], x: &[T], outputs: usize, inputs: usize) -> Vec<T> {
    let mut result = vec![T::zero(); outputs * inputs];
    for (s, x) in s.chunks_exact(outputs).zip(x.chunks_exact(inputs)) {
        for (result, s) in result.chunks_exact_mut(inputs).zip(s) {
            result.iter_mut().zip(x).for_each(|(r, x)| *r += *s * *x);
        }
    }
    result
}

/// `Σ_n s[n,o]`, shape `[outputs]`.
fn column_sums<T: Real>(s: &[T], outputs: usize) -> Vec<T> {
    let mut result = vec![T::zero(); outputs];
    for s in s.chunks_exact(outputs) {
        result.iter_mut().zip(s).for_each(|(r, s)| *r += *s);
    }
    result
}
