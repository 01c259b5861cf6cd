//! The forward pass under construction: how operations push their kernels, and what they keep for the backward pass.

use super::{Graph, Layout, Op, Purpose, Region, Schedule, Setup, Slice, Value};
use crate::Result;
use crate::model::{Activation, Role};
use crate::shader::{Dtype, Kernel};
use std::collections::{BTreeMap, BTreeSet};

/// What a forward pass keeps for the backward pass.
#[derive(Debug)]
pub(crate) struct Saved {
    /// Where each value lies, by its root.
    values: Vec<Option<Slice>>,
    /// For each operation, by its output, what else it keeps: its packed weight, statistics, the taps of the maxima.
    extras: Vec<Option<Slice>>,
}

impl Saved {
    fn new(graph: &Graph, input: Slice) -> Saved {
        let none = || vec![None; graph.values.len()];
        let mut saved = Saved { values: none(), extras: none() };
        saved.values[0] = Some(input);
        saved
    }

    pub(crate) fn value(&self, graph: &Graph, value: usize) -> Slice {
        self.values[graph.root(value)].expect("operations stand in the order of computation")
    }

    /// The network's input as the forward pass reads it.
    pub(crate) fn network_input(&self, graph: &Graph) -> Slice {
        self.value(graph, 0)
    }

    /// What an operation keeps for itself.
    pub(crate) fn extra(&self, op: &Op) -> Option<Slice> {
        self.extras[op.output]
    }
}

/// A forward pass under construction.
#[derive(Debug)]
pub(crate) struct ForwardPass<'a> {
    pub setup: &'a Setup<'a>,
    pub graph: &'a Graph,
    pub schedule: Schedule,
    pub saved: Saved,
    /// Values that the kernel of the previous operation already writes.
    fused: Vec<bool>,
    /// Steps whose results do not depend on the direction: see [`Graph::is_along`].
    fixed: BTreeSet<usize>,
    /// The network's output.
    pub logits: Slice,
    /// Activations that the user asked for, by their root: in rows of f32 once they are computed.
    pub shown: BTreeMap<usize, Option<Slice>>,
}

impl<'a> ForwardPass<'a> {
    /// After `schedule`, from `input`. `show` converts an activation to the user's form.
    pub(crate) fn build(
        setup: &'a Setup<'a>,
        graph: &'a Graph,
        (schedule, input): (Schedule, Slice),
        show: fn(&mut ForwardPass<'a>, &Value, Slice, Slice),
    ) -> Result<ForwardPass<'a>> {
        let shown = setup.options.activations.iter().map(|at| Ok((graph.find(*at)?, None)));
        let mut pass = ForwardPass {
            setup,
            graph,
            schedule,
            saved: Saved::new(graph, input),
            fused: vec![false; graph.values.len()],
            fixed: BTreeSet::new(),
            logits: input,
            shown: shown.collect::<Result<_>>()?,
        };
        pass.shown.entry(0).and_modify(|shown| *shown = Some(input));
        for op in &graph.ops {
            let first = pass.schedule.steps.len();
            if !pass.fused[op.output] {
                op.operation.forward(&mut pass, op)?;
            }
            pass.show(op.output, show)?;
            if !graph.is_along(op.output) {
                pass.fixed.extend(first..pass.schedule.steps.len());
            }
        }
        Ok(pass)
    }

    /// What is left of the pass where the direction alone has changed.
    pub(crate) fn along(&self) -> Schedule {
        self.schedule.only(|step| !self.fixed.contains(&step))
    }

    /// Leaves an activation where the user finds it, if it was asked for.
    fn show(&mut self, value: usize, show: fn(&mut ForwardPass<'a>, &Value, Slice, Slice)) -> Result<()> {
        if self.shown.contains_key(&value) {
            let (from, of) = (self.saved.value(self.graph, value), &self.graph.values[value]);
            let mut shown = from;
            if !self.is_as_seen(value) {
                let name = format!("{}, to be read", of.name);
                let elements = self.setup.elements(&name, of.shape.iter().product())?;
                shown = self.setup.own(Purpose::Activation, name, elements);
                show(self, of, from, shown);
            }
            self.shown.insert(value, Some(shown));
        }
        Ok(())
    }

    /// Whether a value is stored in the user's form: rows of f32.
    fn is_as_seen(&self, value: usize) -> bool {
        self.graph.values[value].layout != Layout::Image && self.dtype(value) == Dtype::F32
    }

    fn dtype(&self, value: usize) -> Dtype {
        if self.is_logits(value) { Dtype::F32 } else { self.setup.options.storage }
    }

    fn is_logits(&self, value: usize) -> bool {
        self.graph.root(self.graph.logits) == value
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

    pub(crate) fn save(&mut self, op: &Op, extra: Slice) {
        self.saved.extras[op.output] = Some(extra);
    }

    /// Memory for a value of several planes, named after the value `named`. In training it is kept; at inference only the logits
    /// are, which are always f32, and what the user reads as it lies.
    fn hold(&mut self, value: usize, named: usize, planes: usize) -> Result<Slice> {
        let elements = self.setup.elements_of(&self.graph.values[value])?;
        let name = &self.graph.values[named].name;
        let (is_logits, dtype) = (self.is_logits(value), self.dtype(value));
        let read = self.shown.contains_key(&value) && self.is_as_seen(value);
        if !self.setup.options.training && !is_logits && !read {
            return Ok(self.schedule.transient(name.clone(), planes * dtype.plane(elements), dtype));
        }
        let bytes = dtype.bytes(planes * dtype.plane(elements));
        let buffer = self.setup.own(Purpose::Activation, name.clone(), bytes / 4);
        if is_logits {
            self.logits = Slice { size: 4 * elements as u64, ..buffer };
        }
        Ok(Slice { size: dtype.bytes(elements).next_multiple_of(4) as u64, dtype, ..buffer })
    }

    /// Pushes an operation that writes only its output. Bound are the inputs, the output, then `more`.
    pub(crate) fn simple(&mut self, op: &Op, kernel: impl Into<Kernel>, more: &[Slice]) -> Result<()> {
        let inputs = op.inputs.iter().map(|input| self.saved.value(self.graph, *input)).collect();
        self.reading(op, kernel, inputs, more)
    }

    /// The same for one that reads the network's input: what stands between may have been stored as another type.
    pub(crate) fn of_network_input(
        &mut self,
        op: &Op,
        kernel: impl Into<Kernel>,
        more: &[Slice],
    ) -> Result<()> {
        self.reading(op, kernel, vec![self.saved.network_input(self.graph)], more)
    }

    /// The same for one that reads `inputs`.
    pub(crate) fn reading(
        &mut self,
        op: &Op,
        kernel: impl Into<Kernel>,
        inputs: Vec<Slice>,
        more: &[Slice],
    ) -> Result<()> {
        let output = self.memory(op)?;
        let slices = inputs.into_iter().chain([output]).chain(more.iter().copied()).collect();
        self.schedule.push(kernel, slices);
        Ok(())
    }

    /// Memory for the output of an operation that writes it with kernels of its own.
    pub(crate) fn memory(&mut self, op: &Op) -> Result<Slice> {
        let output = self.hold(op.output, op.output, 1)?;
        self.saved.values[op.output] = Some(output);
        Ok(output)
    }

    /// Pushes a linear map with parameters, fused with the activation that alone reads its output. `kernel` gets that activation,
    /// whether to keep its input, and the distance between planes. Bound are input, weight, output, and the bias.
    pub(crate) fn linear<K: Into<Kernel>>(
        &mut self,
        op: &Op,
        weight: Slice,
        bias: bool,
        kernel: impl FnOnce(Activation, bool, u32) -> K,
    ) -> Result<()> {
        let behind = self.graph.ops.iter().find_map(|next| {
            let activation = next.operation.activation()?;
            (self.graph.root(next.input()) == op.output).then_some((next.output, activation))
        });
        // What is asked for before the activation is stored by itself.
        let alone = self.graph.readers(op.output) == 1 && !self.shown.contains_key(&op.output);
        let behind = behind.filter(|_| alone);
        let activation = behind.map_or(Activation::Identity, |(_, activation)| activation);
        let keep = self.setup.options.training && !activation.is_told_by_output();
        let last = behind.map_or(op.output, |(output, _)| output);
        let elements = self.setup.elements_of(&self.graph.values[op.output])?;
        let z = self.hold(last, op.output, 1 + usize::from(keep))?;
        let plane = z.dtype.plane(elements);
        let (both, a) = match z.region {
            Region::Own(_) if keep => {
                let distance = z.dtype.bytes(plane) as u64;
                let both = Slice { size: 2 * distance, ..z };
                (both, Slice { offset: z.offset + distance, ..z })
            }
            _ => (z, z),
        };
        let mut slices = vec![self.saved.value(self.graph, op.input()), weight, both];
        if bias {
            slices.push(self.setup.parameter(op, Role::Bias));
        }
        self.schedule.push(kernel(activation, keep, plane as u32), slices);
        if behind.is_some() {
            self.fused[last] = true;
            self.saved.values[last] = Some(z);
        }
        self.saved.values[op.output] = Some(a);
        Ok(())
    }
}
