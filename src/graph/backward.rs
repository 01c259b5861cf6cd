//! The backward pass under construction: where signals are stored, and how operations push their kernels.

use super::{Graph, Layout, Op, Purpose, Region, Saved, Schedule, Setup, Slice, Value};
use crate::gemm::GradientSink;
use crate::model::{Activation, Mode, Parameter, Part, Role};
use crate::shader::{Dtype, Flow, Kernel};
use crate::{At, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

/// Signals that outlive a pass, by the root of the value they stand at.
#[derive(Debug)]
pub(crate) struct Requested {
    /// Those that the user asked for: always in rows.
    by_user: BTreeMap<usize, Slice>,
    /// Those at derivatives along a direction, which serve the next.
    along: RefCell<BTreeMap<usize, Slice>>,
}

impl Requested {
    pub(crate) fn new(setup: &Setup<'_>, graph: &Graph) -> Result<Requested> {
        let mut requested = BTreeMap::new();
        for at in setup.options.signals {
            let root = graph.find(*at)?;
            let planes = setup.options.mode.planes();
            let name = format!("signal at {at:?}");
            let elements = setup.elements(&name, graph.values[root].shape.iter().product())?;
            setup.elements(&name, graph.values[root].len() * planes)?;
            requested
                .entry(root)
                .or_insert_with(|| setup.own(Purpose::Signal, name, planes * Dtype::F32.plane(elements)));
        }
        Ok(Requested { by_user: requested, along: RefCell::default() })
    }

    /// All planes of a requested signal; of these g and, if the mode has one, the diagonal.
    pub(crate) fn slices(&self, setup: &Setup<'_>, graph: &Graph, at: At) -> Option<RequestedSlices> {
        let root = graph.root_at(at)?;
        let slice = self.by_user.get(&root)?;
        let elements = setup.batch * graph.values[root].shape.iter().product::<usize>();
        let plane = |index: usize| Slice::new(slice.region, index * Dtype::F32.plane(elements), elements);
        let diagonal = setup.options.mode.has_diagonal().then(|| plane(1));
        Some(RequestedSlices { planes: *slice, gradient: plane(0), diagonal })
    }
}

#[derive(Debug)]
pub(crate) struct RequestedSlices {
    pub planes: Slice,
    pub gradient: Slice,
    pub diagonal: Option<Slice>,
}

/// A signal at some value: its slice, and the distance between its planes in elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal {
    pub slice: Slice,
    pub plane: u32,
}

/// What all backward passes of a plan share.
#[derive(Debug)]
pub(crate) struct BackwardInputs<'a> {
    pub setup: &'a Setup<'a>,
    pub graph: &'a Graph,
    /// What goes before: the forward pass, or nothing where that is another list. What it keeps.
    pub forward: &'a Schedule,
    pub saved: &'a Saved,
    pub requested: &'a Requested,
}

/// A backward pass under construction.
#[derive(Debug)]
pub(crate) struct BackwardPass<'a> {
    pub setup: &'a Setup<'a>,
    pub graph: &'a Graph,
    pub saved: &'a Saved,
    requested: &'a Requested,
    pub mode: Mode,
    /// Where gradient and diagonal go: see [`BackwardPass::sink_of`].
    sink: GradientSink,
    pub schedule: Schedule,
    /// Flat ranges of parameters that have been updated already.
    pub updated: Vec<Range<usize>>,
    /// For each root value, the signals that have arrived from its readers.
    arrived: Vec<Vec<Signal>>,
    /// For each root value, whether anything needs its signal.
    needed: Vec<bool>,
    /// Complete signals at derivatives, by the root. In a pass of which the direction alone is new they are there.
    pub along: BTreeMap<usize, Signal>,
    again: bool,
}

impl<'a> BackwardPass<'a> {
    /// Continues after `inputs.forward`; where the direction alone is new, with the signals that an earlier pass has left.
    pub(crate) fn new(
        inputs: &BackwardInputs<'a>,
        mode: Mode,
        sink: GradientSink,
        left: Option<BTreeMap<usize, Signal>>,
    ) -> BackwardPass<'a> {
        let BackwardInputs { setup, graph, forward, saved, requested } = *inputs;
        let again = left.is_some();
        let mut needed = needed(setup, graph, requested);
        needed
            .iter_mut()
            .enumerate()
            .for_each(|(value, needed)| *needed &= !(again && graph.is_derivative(value)));
        BackwardPass {
            setup,
            graph,
            saved,
            requested,
            mode,
            sink,
            schedule: forward.clone(),
            updated: Vec::new(),
            arrived: graph.values.iter().map(|_| Vec::new()).collect(),
            needed,
            along: left.unwrap_or_default(),
            again,
        }
    }

    pub(crate) fn batch(&self) -> u32 {
        self.setup.batch as u32
    }

    pub(crate) fn output(&self, op: &Op) -> &'a Value {
        &self.graph.values[op.output]
    }

    pub(crate) fn input(&self, op: &Op) -> &'a Value {
        &self.graph.values[op.input()]
    }

    pub(crate) fn saved_input(&self, op: &Op) -> Slice {
        self.saved.value(self.graph, op.input())
    }

    /// Whether anything needs the signal at one of the operation's inputs.
    pub(crate) fn continues(&self, op: &Op) -> bool {
        op.inputs.iter().any(|input| self.needed[self.graph.root(*input)])
    }

    fn transient(&mut self, value: usize) -> Result<Signal> {
        let value = &self.graph.values[value];
        let dtype = self.setup.options.storage;
        let plane = dtype.plane(self.setup.elements_of(value)?);
        let planes = self.mode.planes();
        self.setup.elements(&value.name, planes * value.len())?;
        let slice = self.schedule.transient(format!("signal at {}", value.name), planes * plane, dtype);
        Ok(Signal { slice, plane: plane as u32 })
    }

    /// Where the complete signal of a root goes: to the user's tensor, if it was requested and is stored in the same form.
    fn destination(&mut self, root: usize) -> Result<Signal> {
        match self.requested.by_user.get(&root) {
            Some(slice) if self.is_as_seen(root) => {
                let plane = Dtype::F32.plane(self.setup.batch * self.graph.values[root].len()) as u32;
                Ok(Signal { slice: *slice, plane })
            }
            _ if self.graph.is_derivative(root) => self.lasting(root),
            _ => self.transient(root),
        }
    }

    /// Memory for a signal that the next pass finds.
    fn lasting(&mut self, root: usize) -> Result<Signal> {
        let value = &self.graph.values[root];
        let dtype = self.setup.options.storage;
        let plane = dtype.plane(self.setup.elements_of(value)?);
        let bytes = dtype.bytes(self.mode.planes() * plane).next_multiple_of(256);
        let mut along = self.requested.along.borrow_mut();
        let own = || self.setup.own(Purpose::Signal, format!("signal at {}", value.name), bytes / 4);
        let slice = Slice { dtype, ..*along.entry(root).or_insert_with(own) };
        Ok(Signal { slice, plane: plane as u32 })
    }

    /// Whether the signal of a root is stored in the user's form: rows of f32.
    fn is_as_seen(&self, root: usize) -> bool {
        self.graph.values[root].layout != Layout::Image && self.setup.options.storage == Dtype::F32
    }

    /// The signal that the loss writes, at the logits.
    pub(crate) fn top(&mut self) -> Result<Signal> {
        let root = self.graph.root(self.graph.logits);
        let top = if self.needed[root] { self.destination(root)? } else { self.transient(root)? };
        self.arrived[root].push(top);
        Ok(top)
    }

    /// Takes a signal in rows of f32, which nothing in this pass writes, as the one at the logits; `false` where that must be a
    /// copy: stored as another type, with the diagonal beside u, or in the user's tensor.
    pub(crate) fn begin_at(&mut self, signal: Signal) -> bool {
        let root = self.graph.root(self.graph.logits);
        let exact = self.setup.options.storage == Dtype::F32 && self.mode.rank() == 0;
        let taken = exact && !self.requested.by_user.contains_key(&root);
        if taken {
            self.arrived[root].push(signal);
        }
        taken
    }

    /// The complete signal at a value: the signals from all its readers, added up by `add`; converted by `show` if requested.
    pub(crate) fn signal_at(
        &mut self,
        value: usize,
        add: fn(&mut BackwardPass<'a>, &Value, [Signal; 3]),
        show: fn(&mut BackwardPass<'a>, &Value, Signal, Signal),
    ) -> Result<Option<Signal>> {
        let root = self.graph.root(value);
        let mut arrived = std::mem::take(&mut self.arrived[root]);
        let Some(mut signal) = arrived.pop() else {
            return Ok(self.along.get(&root).copied().filter(|_| self.again));
        };
        while let Some(other) = arrived.pop() {
            let to = if arrived.is_empty() { self.destination(root)? } else { self.transient(root)? };
            add(self, &self.graph.values[root], [signal, other, to]);
            signal = to;
        }
        // A sum passes on the signal above it as it is, which then lies elsewhere.
        if let Some(slice) = self.requested.by_user.get(&root).filter(|slice| signal.slice != **slice) {
            let value = &self.graph.values[root];
            let elements = self.setup.batch * value.shape.iter().product::<usize>();
            let shown = Signal { slice: *slice, plane: Dtype::F32.plane(elements) as u32 };
            show(self, value, signal, shown);
        }
        if self.graph.is_derivative(root) {
            self.along.insert(root, signal);
        }
        Ok(Some(signal))
    }

    pub(crate) fn flow(&self, from: &Signal, to: &Signal, below: Activation) -> Flow {
        Flow { mode: self.mode, below, plane_in: from.plane, plane_out: to.plane }
    }

    /// Where the signal below an operation goes: to its input, or through the activation that writes this input, fused into the
    /// same dispatch, unless the signal in between is requested or nothing below needs one.
    pub(crate) fn below(&mut self, input: usize) -> Result<(Signal, Activation, Option<Slice>)> {
        let root = self.graph.root(input);
        if let Some(writer) = self.graph.writer(root)
            && let Some(activation) = writer.operation.activation()
        {
            let under = self.graph.root(writer.inputs[0]);
            let alone = self.graph.readers(root) == 1 && !self.requested.by_user.contains_key(&root);
            if alone && self.needed[under] {
                let signal = self.target(under)?;
                return Ok((signal, activation, Some(self.saved.value(self.graph, under))));
            }
        }
        Ok((self.target(root)?, Activation::Identity, None))
    }

    /// Where a signal that arrives at a value goes: to the complete signal, if it is the only one.
    pub(crate) fn target(&mut self, value: usize) -> Result<Signal> {
        let root = self.graph.root(value);
        let signal = match self.graph.readers(root) {
            0 | 1 => self.destination(root)?,
            _ => self.transient(root)?,
        };
        self.arrived[root].push(signal);
        Ok(signal)
    }

    /// The same signal arrives at each input of an operation.
    pub(crate) fn pass_on(&mut self, op: &Op, signal: &Signal) {
        for input in &op.inputs {
            let root = self.graph.root(*input);
            if self.needed[root] {
                self.arrived[root].push(*signal);
            }
        }
    }

    /// Pushes the signal through an operation and the activation below. Bound are the signals above and below, `extras`, and the
    /// activation's input if there is one.
    pub(crate) fn through<K: Into<Kernel>>(
        &mut self,
        op: &Op,
        signal: &Signal,
        extras: &[Slice],
        kernel: impl FnOnce(Flow) -> K,
    ) -> Result<()> {
        self.push_through(op.input(), signal, [&[], extras], kernel)
    }

    /// The same to one of several inputs, by its number, if that one needs a signal.
    pub(crate) fn through_to<K: Into<Kernel>>(
        &mut self,
        op: &Op,
        input: usize,
        signal: &Signal,
        extras: &[Slice],
        kernel: impl FnOnce(Flow) -> K,
    ) -> Result<()> {
        if !self.needed[self.graph.root(op.inputs[input])] {
            return Ok(());
        }
        self.push_through(op.inputs[input], signal, [&[], extras], kernel)
    }

    /// The same for a product with a weight, which is bound before the signal below.
    pub(crate) fn through_weight<K: Into<Kernel>>(
        &mut self,
        op: &Op,
        signal: &Signal,
        weight: Slice,
        kernel: impl FnOnce(Flow) -> K,
    ) -> Result<()> {
        self.push_through(op.input(), signal, [&[weight], &[]], kernel)
    }

    /// To the value `input`; `before` and `behind` are bound before and after the signal below.
    fn push_through<K: Into<Kernel>>(
        &mut self,
        input: usize,
        signal: &Signal,
        [before, behind]: [&[Slice]; 2],
        kernel: impl FnOnce(Flow) -> K,
    ) -> Result<()> {
        let (to, below, under) = self.below(input)?;
        let kernel = kernel(self.flow(signal, &to, below));
        let mut slices = [&[signal.slice], before, &[to.slice], behind].concat();
        slices.extend(under.filter(|_| below != Activation::Identity));
        self.schedule.push(kernel, slices);
        Ok(())
    }

    /// Where an operation's gradient and diagonal go. Of parameters that several operations use, the last of them, which comes first
    /// here, replaces what was there, the others add to it, and none takes the optimiser's step.
    pub(crate) fn sink_of(&self, op: &Op) -> GradientSink {
        let node = op.node.map(|node| &self.setup.model.nodes()[node]);
        match (node, self.sink) {
            (Some(node), _) if node.used_again => GradientSink::Accumulate,
            (Some(node), GradientSink::Update(_)) if node.shares.is_some() => GradientSink::Replace,
            _ => self.sink,
        }
    }

    /// The range of the flat layout that holds an operation's weight and bias.
    pub(crate) fn flat(&self, op: &Op) -> FlatRange {
        let mine = || {
            let parameters = op.node.map_or(0..0, |node| self.setup.model.parameters_of(node));
            self.setup.model.parameters()[parameters].iter()
        };
        let first = mine().map(|p| p.offset).min().unwrap_or(0);
        let end = mine().map(|p| p.range().end).max().unwrap_or(first).next_multiple_of(64);
        let bias = mine().find(|p| p.role == Role::Bias).map_or(0, |p: &Parameter| p.offset - first) as u32;
        FlatRange { range: first..end, bias }
    }
}

#[derive(Debug)]
pub(crate) struct FlatRange {
    pub range: Range<usize>,
    /// Where the bias begins, counted from the weight.
    pub bias: u32,
}

impl FlatRange {
    pub(crate) fn of(&self, region: Region) -> Slice {
        Slice::new(region, self.range.start, self.range.len())
    }
}

/// For each value, whether its signal is needed: a parameter that is trained or a requested signal is at it or before it.
fn needed(setup: &Setup<'_>, graph: &Graph, requested: &Requested) -> Vec<bool> {
    let mut needed: Vec<bool> =
        (0..graph.values.len()).map(|value| requested.by_user.contains_key(&value)).collect();
    for op in &graph.ops {
        let detached = op.node.is_some_and(|node| setup.model.nodes()[node].part == Part::Detached);
        let within = setup.trains(op) || op.inputs.iter().any(|input| needed[graph.root(*input)]);
        needed[op.output] |= within && !detached;
    }
    needed
}
