//! Allocates buffers for the schedules, and makes dispatches of their steps.

use super::state::given_buffer;
use super::work::{Lists, Work};
use super::{Memory, PlanOptions, State, check};
use crate::Result;
use crate::gpu::{Buffer, Context, Resource, Tensor};
use crate::graph::{Purpose, Region, Schedule, Setup, Slice};
use crate::lifetime::slots;
use crate::model::{Model, Parameter};
use crate::ops::optimizer::Update;
use crate::shader::Kernel;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// The buffers of all schedules of a plan; one schedule runs at a time.
#[derive(Debug)]
pub(super) struct Buffers<'a> {
    pub input: Tensor,
    pub targets: Option<Tensor>,
    pub sample_weights: Option<Tensor>,
    state: &'a State,
    own: Vec<Buffer>,
    /// Whether an own buffer is constant.
    constant: Vec<bool>,
    /// Buffers that transients share.
    shared: Vec<Buffer>,
    /// For each schedule, the shared buffer of each transient.
    slots: Vec<Vec<usize>>,
    usage: Memory,
}

impl<'a> Buffers<'a> {
    pub(super) fn new(
        context: &Context,
        setup: &Setup<'_>,
        state: &'a State,
        options: &PlanOptions,
        schedules: &[(Work, Schedule)],
    ) -> Result<Buffers<'a>> {
        let mut usage = Memory::default();
        let mut make = |purpose, name: &str, elements| {
            let buffer = context.storage(name, elements)?;
            usage.add(purpose, buffer.size());
            Result::Ok(buffer)
        };
        let mut host = |name: &str, given: Option<&wgpu::Buffer>, shape: &[usize]| {
            let elements = setup.elements(name, shape.iter().product())?;
            let buffer = match given {
                Some(buffer) => given_buffer(context, name, buffer, elements)?,
                None => make(Purpose::Activation, name, elements)?,
            };
            let shape: Vec<usize> = std::iter::once(setup.batch).chain(shape.iter().copied()).collect();
            Result::Ok(Tensor::new(name, &buffer, 0, &shape))
        };
        let input = host("input", options.input.as_ref(), setup.model.input_shape())?;
        let target_len = [setup.model.target_len()];
        let targets = options.training.then(|| host("targets", options.targets.as_ref(), &target_len));
        let targets = targets.transpose()?;
        let given = options.sample_weights_in.as_ref();
        let weighted = options.training && options.sample_weights;
        let sample_weights = weighted.then(|| host("sample weights", given, &[])).transpose()?;
        if let (Some(weights), None) = (&sample_weights, given) {
            context.write(weights, &vec![1.0; setup.batch])?;
        }
        let (mut own, mut constant) = (Vec::new(), Vec::new());
        for owned in setup.owned().iter() {
            let buffer = make(owned.purpose, &owned.name, owned.elements)?;
            if let Some(values) = &owned.constants {
                context.write(&Tensor::new(owned.name.clone(), &buffer, 0, &[values.len()]), values)?;
            }
            own.push(buffer);
            constant.push(owned.constants.is_some());
        }
        let assigned: Vec<_> = schedules.iter().map(|(_, schedule)| slots(&schedule.lives())).collect();
        let count = assigned.iter().map(|(_, sizes)| sizes.len()).max().unwrap_or(0);
        let mut shared = Vec::with_capacity(count);
        for index in 0..count {
            let sizes = assigned.iter().filter_map(|(_, sizes)| sizes.get(index));
            let size = sizes.max().copied().unwrap_or(0);
            let name = schedules.iter().find_map(|(_, schedule)| schedule.named(size)).unwrap_or("signal");
            shared.push(make(Purpose::Signal, name, size / 4)?);
        }
        usage.add(Purpose::Parameter, state.bytes());
        let slots = assigned.into_iter().map(|(slots, _)| slots).collect();
        Ok(Buffers { input, targets, sample_weights, state, own, constant, shared, slots, usage })
    }

    pub(super) fn memory(&self) -> Memory {
        self.usage
    }

    /// The buffer of a region that is not transient.
    pub(super) fn of(&self, region: Region) -> &Buffer {
        let moments = || self.state.optimizer_state().expect("there is an optimiser");
        match region {
            Region::Input => self.input.owned(),
            Region::Targets => self.targets.as_ref().expect("a training plan has targets").owned(),
            Region::SampleWeights => {
                self.sample_weights.as_ref().expect("asked for only where planned").owned()
            }
            Region::Parameters => self.state.parameters().owned(),
            Region::Gradient => self.state.gradient().owned(),
            Region::Diagonal => self.state.diagonal().owned(),
            Region::Optimizer => moments().memory.owned(),
            Region::Noise => self.state.noise_words().owned(),
            Region::Own(index) => &self.own[index],
            Region::Transient(_) => unreachable!("each list has its own"),
        }
    }

    fn resource(&self, list: usize, slice: &Slice) -> Resource {
        let buffer = match slice.region {
            Region::Transient(id) => &self.shared[self.slots[list][id]],
            region => self.of(region),
        };
        let Slice { offset, size, dtype, .. } = *slice;
        Resource { buffer: buffer.clone(), offset, size, dtype }
    }

    /// The bytes of a slice that must have been written before `kernel` reads them in `work`. What comes from outside is
    /// there already: the host's input and targets, parameters, moments, constants. A step reads no gradient but its own.
    fn needed(&self, model: &Model, work: Work, kernel: &Kernel, slice: &Slice) -> Vec<Range<u64>> {
        match (slice.region, work, kernel.get::<Update>()) {
            (Region::Gradient | Region::Diagonal, Work::Step(_), Some(update)) => {
                // The gaps between parameters belong to none.
                let Range { start, end } = update.range();
                let mine = model.parameters().iter().map(Parameter::range);
                let mine = mine.filter(|range| start <= range.start && range.end <= end);
                mine.map(|range| 4 * range.start as u64..4 * range.end as u64).collect()
            }
            (Region::Own(index), ..) if !self.constant[index] => {
                std::iter::once(slice.offset..slice.offset + slice.size).collect()
            }
            _ => Vec::new(),
        }
    }
}

type BoundKernel = (Kernel, Vec<Resource>);

/// The dispatches of all schedules; equal ones are shared. All shaders are compiled first, so that their number is known.
#[allow(clippy::mutable_key_type)] // a buffer is known by its id
pub(super) fn dispatches(
    context: &Context,
    model: &Model,
    buffers: &Buffers<'_>,
    schedules: &[(Work, Schedule)],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Lists> {
    if cfg!(debug_assertions) {
        for ((work, schedule), slots) in schedules.iter().zip(&buffers.slots) {
            let needed = |kernel: &Kernel, slice: &Slice| buffers.needed(model, *work, kernel, slice);
            let checked = check::reads(&schedule.steps, slots, needed);
            checked.unwrap_or_else(|fault| panic!("{work:?} of {}: {fault}", model.to_json()));
        }
    }
    let mut distinct: Vec<BoundKernel> = Vec::new();
    let mut on: HashMap<Vec<Resource>, Vec<usize>> = HashMap::new();
    let mut lists: Vec<(Work, Vec<usize>)> = Vec::new();
    for (list, (work, schedule)) in schedules.iter().enumerate() {
        let bound = schedule.steps.iter().map(|(kernel, slices)| {
            let resources: Vec<Resource> = slices.iter().map(|s| buffers.resource(list, s)).collect();
            let same = on.entry(resources.clone()).or_default();
            same.iter().copied().find(|known| distinct[*known].0 == *kernel).unwrap_or_else(|| {
                same.push(distinct.len());
                distinct.push((kernel.clone(), resources));
                distinct.len() - 1
            })
        });
        lists.push((*work, bound.collect()));
    }
    context.compile(distinct.iter().map(|(kernel, _)| kernel), progress)?;
    let dispatch = |(kernel, resources): &BoundKernel| Ok(Arc::new(context.dispatch(kernel, resources)?));
    let dispatches = distinct.iter().map(dispatch).collect::<Result<Vec<_>>>()?;
    let list = |(work, steps): (Work, Vec<usize>)| {
        (work, steps.into_iter().map(|step| Arc::clone(&dispatches[step])).collect())
    };
    Ok(Lists(lists.into_iter().map(list).collect()))
}
