//! Forward and backward passes over the model's nodes.

use super::layer::{Draw, Step, Sums, diagonal_sums, gradient_sums};
use super::{Real, Signal};
use crate::Result;
use crate::model::{Mode, Model, Noise, Parameter, Role, Source};

/// A model bound to its parameters.
pub(super) struct BoundModel<'a, T> {
    model: &'a Model,
    pub(super) steps: Vec<Step<'a, T>>,
}

/// The signal at the network's input and at the output of each node.
pub(super) struct Signals<T> {
    pub(super) input: Signal<T>,
    pub(super) nodes: Vec<Signal<T>>,
}

impl<'a, T: Real> BoundModel<'a, T> {
    /// As it predicts: dropout does nothing.
    pub(super) fn inference(model: &'a Model, parameters: &'a [T]) -> Result<BoundModel<'a, T>> {
        BoundModel::new(model, parameters, None)
    }

    /// As it trains. Dropout counts its random numbers as if the samples before `first_sample` were there.
    pub(super) fn training(
        model: &'a Model,
        parameters: &'a [T],
        noise: Noise,
        first_sample: usize,
    ) -> Result<BoundModel<'a, T>> {
        BoundModel::new(model, parameters, Some(Draw { noise, first_sample }))
    }

    /// `parameters` in the flat layout, length checked before.
    fn new(model: &'a Model, parameters: &'a [T], draw: Option<Draw>) -> Result<BoundModel<'a, T>> {
        let step = |node| Step::new(model, node, parameters, draw);
        Ok(BoundModel { model, steps: (0..model.nodes().len()).map(step).collect::<Result<_>>()? })
    }

    /// The output `[N, size]` of every node.
    pub(super) fn run(&self, input: &[T]) -> Vec<Vec<T>> {
        self.run_on(input, Vec::with_capacity(self.steps.len()))
    }

    /// The same, the outputs of the first nodes given.
    pub(super) fn run_on(&self, input: &[T], mut outputs: Vec<Vec<T>>) -> Vec<Vec<T>> {
        for i in outputs.len()..self.steps.len() {
            let output = self.steps[i].forward(&self.inputs_of(i, input, &outputs));
            outputs.push(output);
        }
        outputs
    }

    /// What a node reads first: of a layer, its input.
    pub(super) fn input_of<'b>(&self, node: usize, input: &'b [T], outputs: &'b [Vec<T>]) -> &'b [T] {
        read(input, outputs, self.model.nodes()[node].inputs[0])
    }

    /// Mean and variance of each channel that a batch normalisation reads.
    pub(super) fn moments(&self, node: usize, input: &[T], outputs: &[Vec<T>]) -> Vec<[T; 2]> {
        match &self.steps[node] {
            Step::Standardize(norm) => norm.moments(self.input_of(node, input, outputs)),
            _ => Vec::new(),
        }
    }

    /// All that a node reads.
    fn inputs_of<'b>(&self, node: usize, input: &'b [T], outputs: &'b [Vec<T>]) -> Vec<&'b [T]> {
        let sources = self.model.nodes()[node].inputs.iter();
        sources.map(|source| read(input, outputs, *source)).collect()
    }

    /// The signals from the last output, where `start` is, down to `stop`; those before it are incomplete. Where several
    /// nodes read one value, their signals add up.
    pub(super) fn backpropagate(
        &self,
        mode: Mode,
        input: &[T],
        outputs: &[Vec<T>],
        start: Signal<T>,
        stop: Source,
    ) -> Signals<T> {
        let mut signals = Signals { input: Signal::none(), nodes: vec![Signal::none(); self.steps.len()] };
        if let Some(last) = signals.nodes.last_mut() {
            *last = start;
        }
        for (i, step) in self.steps.iter().enumerate().rev() {
            if Source::Node(i) <= stop {
                break;
            }
            let inputs = self.inputs_of(i, input, outputs);
            for (number, source) in self.model.nodes()[i].inputs.iter().enumerate() {
                let through = step.backward(mode, &inputs, number, &signals.nodes[i]);
                match source {
                    Source::Input => signals.input.add(&through),
                    Source::Node(before) => signals.nodes[*before].add(&through),
                }
            }
        }
        signals
    }

    /// Gradient and diagonal of every parameter in the flat layout; `signals` are those at the nodes' outputs. The
    /// diagonal is empty where the signals have none.
    pub(super) fn parameter_sums(
        &self,
        mode: Mode,
        input: &[T],
        outputs: &[Vec<T>],
        signals: &[Signal<T>],
    ) -> (Vec<T>, Vec<T>) {
        let zeros = || vec![T::zero(); self.model.flat_len()];
        let curved = signals.last().is_some_and(|s| !s.h.is_empty());
        let (mut gradient, mut diagonal) = (zeros(), if curved { zeros() } else { Vec::new() });
        for (i, (step, signal)) in self.steps.iter().zip(signals).enumerate() {
            let Some(map) = step.weighted() else { continue };
            let (x, signal) = step.at_weight(mode, [self.input_of(i, input, outputs), &outputs[i]], signal);
            self.place(i, gradient_sums(map, x, &signal.g), &mut gradient);
            if curved {
                self.place(i, diagonal_sums(map, x, &signal), &mut diagonal);
            }
        }
        (gradient, diagonal)
    }

    /// Adds the sums of node `i` where its parameters lie: several nodes may use them.
    pub(super) fn place(&self, i: usize, sums: Sums<T>, flat: &mut [T]) {
        for (role, sums) in [(Role::Weight, sums.weight), (Role::Bias, sums.bias)] {
            if let Some(range) = self.model.parameter_of(i, role).map(Parameter::range) {
                flat[range].iter_mut().zip(&sums).for_each(|(to, sum)| *to += *sum);
            }
        }
    }
}

fn read<'a, T>(input: &'a [T], outputs: &'a [Vec<T>], source: Source) -> &'a [T] {
    match source {
        Source::Input => input,
        Source::Node(node) => &outputs[node],
    }
}
