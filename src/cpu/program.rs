//! The operations and values that the executor runs, derived from the graph.

use super::stages::Stage;
use crate::graph::{Graph, Layout};
use crate::host::HostOp;
use crate::lifetime::{Life, slots};
use crate::model::{Groups, Model, Parameter, Part, Role};
use crate::ops::Ops;
use crate::ops::layout::host::transpose_each;
use crate::{At, Result};

#[derive(Debug)]
pub(super) struct Program {
    pub ops: Vec<Op>,
    pub stages: Vec<Stage>,
    /// Value 0 is the network's input.
    pub values: Vec<Value>,
    pub logits: usize,
    /// Components of a signal; 0 for inference.
    pub components: usize,
    /// Where signals are kept, and at which values.
    pub kept: Vec<(At, usize)>,
    /// The same of activations.
    pub shown: Vec<(At, usize)>,
}

#[derive(Debug)]
pub(super) struct Value {
    /// Elements of a sample.
    pub size: usize,
    /// `[positions, channels]` of a sample that is stored channels last; `None` for a value in the user's order.
    pub image: Option<[usize; 2]>,
    /// Whether its signal is needed: an operation before it is trained, or it or the signal of a value before it is kept.
    pub wanted: bool,
    /// Whether its signal, or for inference the value itself, is kept to the end of the pass, to be read. In training all values are.
    pub kept: bool,
    /// Whether its signal, or for inference the value itself, lives only within a block of samples of one run.
    pub block_local: bool,
}

#[derive(Debug)]
pub(super) struct Op {
    pub kind: HostOp,
    /// The model's node; `None` for a change of layout.
    pub node: Option<usize>,
    /// Whether it has parameters that are trained.
    pub trained: bool,
    /// Whether no signal goes through it.
    pub detached: bool,
    /// Whether a later operation uses the same parameters: its sums are there before this one's.
    pub used_again: bool,
    pub inputs: Vec<usize>,
    /// For each input, whether another operation has written its signal before, so that this one's must be added.
    pub adds: Vec<bool>,
    pub output: usize,
}

impl Value {
    /// What is stored of some samples, in the user's order.
    pub(super) fn as_seen(&self, stored: &[f32]) -> Vec<f32> {
        let mut user = stored.to_vec();
        if let Some(shape) = self.image {
            transpose_each(stored, &mut user, shape);
        }
        user
    }
}

impl Op {
    pub(super) fn parameter<'a>(&self, model: &'a Model, role: Role) -> Option<&'a Parameter> {
        self.node.and_then(|node| model.parameter_of(node, role))
    }
}

impl Program {
    /// `components` of the signal in the backward pass; 0 for inference. Signals at `kept` and values at `shown` are kept to the end
    /// of the pass.
    pub(super) fn new(
        model: &Model,
        components: usize,
        [kept, shown]: [&[At]; 2],
        groups: &Groups,
    ) -> Result<Program> {
        let trained = groups.trained(model);
        // On the CPU no channel is padded.
        let graph = Graph::new::<Ops>(model, components > 0, 1)?;
        // A view shares the memory of another value, so it is not a value here.
        let mut roots = 0;
        let indices = (0..graph.values.len()).map(|value| {
            roots += usize::from(graph.root(value) == value);
            roots - 1
        });
        let indices: Vec<usize> = indices.collect();
        let index = |value: usize| indices[graph.root(value)];
        let values = graph.values.iter().enumerate().filter(|(value, _)| graph.root(*value) == *value);
        let values = values.map(|(_, value)| {
            let image = [value.positions(), value.channels()];
            let image = (value.layout == Layout::Image).then_some(image);
            Value { size: value.len(), image, wanted: false, kept: false, block_local: false }
        });
        let ops = graph.ops.iter().map(|op| Op {
            kind: op.operation.host(&graph.values[op.input()], &graph.values[op.output]),
            node: op.node,
            trained: op.node.is_some_and(|node| model.trains(node, &trained)),
            detached: op.node.is_some_and(|node| model.nodes()[node].part == Part::Detached),
            used_again: op.node.is_some_and(|node| model.nodes()[node].used_again),
            inputs: op.inputs.iter().map(|input| index(*input)).collect(),
            adds: vec![false; op.inputs.len()],
            output: index(op.output),
        });
        let find = |at: &At| Ok((*at, index(graph.find(*at)?)));
        let mut program = Program {
            ops: ops.collect(),
            stages: Vec::new(),
            values: values.collect(),
            logits: index(graph.logits),
            components,
            kept: kept.iter().map(find).collect::<Result<_>>()?,
            shown: shown.iter().map(find).collect::<Result<_>>()?,
        };
        for (_, value) in if components > 0 { &program.kept } else { &program.shown } {
            program.values[*value].kept = true;
        }
        program.want();
        program.mark_adds();
        program.cut_stages();
        program.mark_block_local();
        Ok(program)
    }

    fn want(&mut self) {
        self.values.iter_mut().for_each(|value| value.wanted = value.kept);
        for op in &self.ops {
            let within = op.trained || op.inputs.iter().any(|v| self.values[*v].wanted);
            self.values[op.output].wanted |= within && !op.detached;
        }
    }

    fn mark_adds(&mut self) {
        let mut reached = vec![false; self.values.len()];
        for op in self.ops.iter_mut().rev().filter(|op| self.values[op.output].wanted) {
            for (input, adds) in op.inputs.iter().zip(&mut op.adds) {
                *adds = std::mem::replace(&mut reached[*input], true);
            }
        }
    }

    /// Buffers for signals that outlive their stage: for each value the buffer of its signal, if it has one, and for each buffer
    /// the elements of a sample. A signal is in use from the stage that reads its value to the one that writes it, on the way
    /// back; to the end, if it is kept.
    pub(super) fn signal_buffers(&self) -> (Vec<Option<usize>>, Vec<usize>) {
        let end = self.stages.len();
        let mut lives: Vec<Life> =
            self.values.iter().map(|value| Life { size: value.size, first: end, last: end }).collect();
        lives[self.logits].first = 0;
        for (step, stage) in self.stages.iter().rev().enumerate() {
            for op in &self.ops[stage.ops()] {
                op.inputs.iter().for_each(|input| lives[*input].first = lives[*input].first.min(step));
                if !self.values[op.output].kept {
                    lives[op.output].last = step;
                }
            }
        }
        let there = |value: &usize| self.values[*value].wanted && !self.values[*value].block_local;
        let held: Vec<usize> = (0..self.values.len()).filter(there).collect();
        let (slots, sizes) = slots(&held.iter().map(|value| lives[*value]).collect::<Vec<_>>());
        let mut of_values = vec![None; self.values.len()];
        held.into_iter().zip(slots).for_each(|(value, slot)| of_values[value] = Some(slot));
        (of_values, sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::{Activation, Layer, Loss};

    /// However deep the network: one signal takes one more buffer, and all together take one each.
    #[test]
    fn a_kept_signal_takes_one_buffer() {
        const LAYERS: usize = 40;
        let dense = (0..LAYERS).fold(Model::builder([8]), |body, _| body.dense(8).act(Activation::Tanh));
        let image = (0..LAYERS).fold(Model::builder([2, 5, 5]), |body, _| {
            body.residual(|block| block.conv2d(2, 1).act(Activation::Tanh)).act(Activation::Softplus)
        });
        for model in [dense, image].map(|body| body.loss(Loss::mse()).unwrap()) {
            let buffers = |kept: &[At]| {
                let (slots, sizes) =
                    Program::new(&model, 2, [kept, &[]], &Groups::default()).unwrap().signal_buffers();
                let used = |buffer| slots.iter().filter(|slot| **slot == Some(buffer)).count();
                (sizes.len(), (0..sizes.len()).map(used).min().unwrap())
            };
            let none = buffers(&[]).0;
            assert!(none <= 4, "{none}");
            let places: Vec<At> = (0..2 * LAYERS).map(At::Layer).chain([At::Input]).collect();
            for at in &places {
                let (count, _) = buffers(&[*at]);
                assert!((none..=none + 1).contains(&count), "{at:?}: {count} buffers, {none} without it");
            }
            let (all, least) = buffers(&places);
            assert!(all >= places.len() && least == 1, "{all} buffers, the least used by {least}");
        }
        let flat = Model::builder([2]).layer(Layer::Flatten).dense(3).loss(Loss::mse()).unwrap();
        let unknown = Program::new(&flat, 2, [&[At::Layer(2)], &[]], &Groups::default());
        assert!(matches!(unknown, Err(Error::Unknown { .. })));
    }
}
