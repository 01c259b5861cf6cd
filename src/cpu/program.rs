//! The operations and values that the executor runs, derived from the graph. A view shares the memory of another value, and so do the
//! terms of a sum that nothing else reads: the first is written, the others are added to it.

use super::stages::Stage;
use crate::graph::{self, Graph, Layout};
use crate::host::HostOp;
use crate::lifetime::{Life, slots};
use crate::model::{Groups, Model, Parameter, Part, Role};
use crate::ops::Ops;
use crate::ops::layout::host::transpose_each;
use crate::{At, Result};
use std::collections::{HashMap, HashSet};

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
    /// Whether it is a derivative along a direction, whose signal does not depend on it: that is kept, to serve the next pass.
    pub derivative: bool,
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
    /// Of weight and bias, whether a later operation has written sums for the same parameter before, so that this one's must be added.
    pub adds_sums: [bool; 2],
    pub inputs: Vec<usize>,
    /// For each input, whether another operation has written its signal before, so that this one's must be added.
    pub adds: Vec<bool>,
    pub output: usize,
    /// Whether its output depends on the direction, in a network beside its derivative.
    pub along: bool,
    /// Whether its output is added to what an earlier operation has written there.
    pub adds_output: bool,
}

/// Weight and bias, in the order of their sums.
pub(super) const ROLES: [Role; 2] = [Role::Weight, Role::Bias];

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
        let mut kinds: Vec<HostOp> = Vec::new();
        for op in &graph.ops {
            kinds.push(op.operation.host(&graph.values[op.input()], &graph.values[op.output]));
        }
        let detached =
            |op: &graph::Op| op.node.is_some_and(|node| model.nodes()[node].part == Part::Detached);
        let seen = kept.iter().chain(shown).map(|at| graph.find(*at)).collect::<Result<Vec<usize>>>()?;
        let sums = sums(&graph, &kinds, detached, &seen);
        let root = |value: usize| sums.get(&graph.root(value)).map_or(graph.root(value), |sum| sum.into);
        let indices = numbered(graph.values.len(), |value| root(value) == value);
        let index = |value: usize| indices[root(value)];
        let values = graph.values.iter().enumerate().filter(|(value, _)| root(*value) == *value);
        let values = values.map(|(index, value)| {
            let derivative = graph.is_derivative(index);
            let image = [value.positions(), value.channels()];
            let image = (value.layout == Layout::Image).then_some(image);
            Value { size: value.len(), image, wanted: false, kept: false, derivative, block_local: false }
        });
        let ops = graph.ops.iter().zip(kinds).map(|(op, kind)| Op {
            kind,
            node: op.node,
            trained: op.node.is_some_and(|node| model.trains(node, &trained)),
            detached: detached(op),
            adds_sums: [false; 2],
            inputs: op.inputs.iter().map(|input| index(*input)).collect(),
            adds: vec![false; op.inputs.len()],
            output: index(op.output),
            along: graph.is_along(op.output),
            adds_output: sums.get(&op.output).is_some_and(|sum| !sum.first),
        });
        let find = |at: &At| Ok((*at, index(graph.find(*at)?)));
        let mut program = Program {
            // What has become a sum in place reads what it writes.
            ops: ops.filter(|op| !op.inputs.contains(&op.output)).collect(),
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
        program.mark_sums(model);
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
        // Where a later pass reads it: for parameters, or for what lies below and is no derivative.
        let Program { ops, values, .. } = self;
        for op in ops.iter().filter(|op| op.along) {
            let below = |input: &usize| values[*input].wanted && !values[*input].derivative;
            let read = op.trained || op.inputs.iter().any(below);
            let value = &mut values[op.output];
            value.kept |= value.derivative && value.wanted && read;
        }
    }

    /// Whether the operation takes a signal to this value: not once more to where it is already.
    pub(super) fn passes(&self, value: usize, again: bool) -> bool {
        self.values[value].wanted && !(again && self.values[value].derivative)
    }

    fn mark_adds(&mut self) {
        let mut reached = vec![false; self.values.len()];
        for op in self.ops.iter_mut().rev().filter(|op| self.values[op.output].wanted) {
            for (number, (input, adds)) in op.inputs.iter().zip(&mut op.adds).enumerate() {
                if matches!(&op.kind, HostOp::Sample(sample_op) if !sample_op.reaches(number)) {
                    continue;
                }
                *adds = std::mem::replace(&mut reached[*input], true);
            }
        }
    }

    fn mark_sums(&mut self, model: &Model) {
        let mut written = HashSet::new();
        for op in self.ops.iter_mut().rev().filter(|op| op.trained && self.values[op.output].wanted) {
            for (adds, role) in op.adds_sums.iter_mut().zip(ROLES) {
                let parameter = op.node.and_then(|node| model.parameter_of(node, role));
                *adds = parameter.is_some_and(|parameter| !written.insert(parameter.offset));
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
        // A later pass finds it, and writes the others once more.
        for (life, value) in lives.iter_mut().zip(&self.values) {
            life.first = if value.derivative && value.kept { 0 } else { life.first };
        }
        let there = |value: &usize| self.values[*value].wanted && !self.values[*value].block_local;
        let held: Vec<usize> = (0..self.values.len()).filter(there).collect();
        let (slots, sizes) = slots(&held.iter().map(|value| lives[*value]).collect::<Vec<_>>());
        let mut of_values = vec![None; self.values.len()];
        held.into_iter().zip(slots).for_each(|(value, slot)| of_values[value] = Some(slot));
        (of_values, sizes)
    }
}

/// A term of a sum, written into the sum itself.
struct Term {
    into: usize,
    /// Whether no other term is written before.
    first: bool,
}

/// By their values, the terms of sums whose operations can all add to what is there, of values that only the sum reads, and nobody sees.
fn sums(
    graph: &Graph,
    kinds: &[HostOp],
    detached: impl Fn(&graph::Op) -> bool,
    seen: &[usize],
) -> HashMap<usize, Term> {
    let makers: HashMap<usize, usize> =
        graph.ops.iter().enumerate().map(|(op, of)| (of.output, op)).collect();
    let mut terms = HashMap::new();
    for (sum, _) in graph.ops.iter().zip(kinds).filter(|(_, kind)| kind.is_sum()) {
        // Of each term, the operation that makes it.
        let maker = |value: &usize| {
            let op = makers.get(value).filter(|op| kinds[**op].adds_to_output())?;
            let alone = graph.readers(*value) == 1 && !seen.contains(value);
            (alone && detached(&graph.ops[*op]) == detached(sum)).then_some(*op)
        };
        let Some(ops) = sum.inputs.iter().map(maker).collect::<Option<Vec<usize>>>() else { continue };
        let first = ops.iter().min();
        let term = |op: &usize| (graph.ops[*op].output, Term { into: sum.output, first: Some(op) == first });
        terms.extend(ops.iter().map(term));
    }
    terms
}

/// The position of each among those that count; of one that does not, that of the last before it.
fn numbered(count: usize, counts: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut before = 0;
    let number = |index| {
        before += usize::from(counts(index));
        before.saturating_sub(1)
    };
    (0..count).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::model::{AvgPool2d, Builder, Matrix};
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

    /// What a later pass finds shares its buffer with nothing that it writes.
    #[test]
    fn signals_of_derivatives_have_buffers_of_their_own() {
        let wide = || Model::builder([1, 8, 8]).conv2d(8, 1).act(Activation::Tanh).conv2d(16, 1);
        let pooled = wide().layer(AvgPool2d::new(2)).flatten().dense(10);
        for model in [pooled, wide().conv2d(1, 1)].map(|body| body.loss(Loss::mse()).unwrap()) {
            let tangent = model.tangent(Matrix::Hessian).unwrap();
            let program = Program::new(&tangent, 1, [&[], &[]], &Groups::default()).unwrap();
            let (slots, _) = program.signal_buffers();
            let kept =
                || program.values.iter().zip(&slots).filter(|(value, _)| value.derivative && value.kept);
            assert!(kept().count() >= 2);
            for (_, slot) in kept() {
                assert_eq!(slots.iter().filter(|other| *other == slot).count(), 1);
            }
        }
    }

    /// A sum of products takes neither memory nor an operation, unless something else sees one of them.
    #[test]
    fn sums_in_place() {
        let rows = Model::builder([6]).name("x").dense(7).name("y").from("x").dense(7).plus("y");
        let of = |model: Builder, kept: &[At], shown: &[At]| {
            let model = model.loss(Loss::mse()).unwrap();
            let program = Program::new(&model, 1, [kept, shown], &Groups::default()).unwrap();
            (program.ops.len(), program.values.len())
        };
        assert_eq!(of(rows.clone(), &[], &[]), (2, 2));
        let first = [At::Layer(1)];
        assert_eq!(of(rows.clone(), &first, &[]), (3, 4));
        assert_eq!(of(rows.clone(), &[], &first), (3, 4));
        assert_eq!(of(rows.multiply("y"), &[], &[]), (4, 5));
        let bent =
            Model::builder([6]).residual_projected(|b| b.dense(7), |b| b.dense(7).act(Activation::Tanh));
        assert_eq!(of(bent, &[], &[]), (4, 5));
    }
}
