//! Allocates buffers for the schedules, and makes dispatches of their steps.

use super::work::{Lists, Work};
use super::{Memory, PlanOptions, State, check};
use crate::Result;
use crate::gpu::{Buffer, BufferRange, Context, Resource, Tensor};
use crate::graph::{Purpose, Region, Schedule, Setup, Slice};
use crate::lifetime::slots;
use crate::model::Model;
use crate::ops::optimizer::{Measure, Update};
use crate::ops::outside;
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
    /// All planes of the host's signal.
    pub outside: Option<Tensor>,
    /// How many samples count.
    pub count: Option<Tensor>,
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
        let mut host = |purpose, name: &str, given: &Option<BufferRange>, shape: &[usize]| match given {
            Some(range) => context.adopt_range(name, range, shape),
            None => {
                let buffer = make(purpose, name, shape.iter().product())?;
                Ok(Tensor::new(name, &buffer, 0, shape))
            }
        };
        let model = setup.model;
        let of_batch = |name: &str, shape: &[usize]| {
            setup.elements(name, shape.iter().product())?;
            Result::Ok([&[setup.batch], shape].concat())
        };
        let shape = of_batch("input", model.input_shape())?;
        let input = host(Purpose::Activation, "input", &options.input, &shape)?;
        let (mut targets, mut outside) = (None, None);
        if options.training && model.loss().is_external() {
            let [elements, plane] = outside::layout(setup, options.mode)?;
            let shape = [elements / plane, plane];
            outside = Some(host(Purpose::Signal, "signal at the outputs", &options.outside_signal, &shape)?);
        } else if options.training {
            let shape = of_batch("targets", &[model.target_len()])?;
            targets = Some(host(Purpose::Activation, "targets", &options.targets, &shape)?);
        }
        let weighted = options.training && options.sample_weights;
        let given = &options.sample_weights_in;
        let weights = || host(Purpose::Activation, "sample weights", given, &[setup.batch]);
        let sample_weights = weighted.then(weights).transpose()?;
        if let (Some(weights), None) = (&sample_weights, given) {
            context.write(weights, &vec![1.0; setup.batch])?;
        }
        let mut count = None;
        if setup.options.partial {
            let tensor = Tensor::new("count", &make(Purpose::Activation, "count", 1)?, 0, &[1]);
            context.write_bytes(&tensor, bytemuck::bytes_of(&(setup.batch as u32)))?;
            count = Some(tensor);
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
        let most = assigned.iter().map(|(_, sizes)| sizes.len()).max().unwrap_or(0);
        let mut shared = Vec::with_capacity(most);
        for index in 0..most {
            let sizes = assigned.iter().filter_map(|(_, sizes)| sizes.get(index));
            let size = sizes.max().copied().unwrap_or(0);
            let name = schedules.iter().find_map(|(_, schedule)| schedule.named(size)).unwrap_or("signal");
            shared.push(make(Purpose::Signal, name, size / 4)?);
        }
        usage.add(Purpose::Parameter, state.bytes());
        let slots = assigned.into_iter().map(|(slots, _)| slots).collect();
        Ok(Buffers {
            input,
            targets,
            sample_weights,
            outside,
            count,
            state,
            own,
            constant,
            shared,
            slots,
            usage,
        })
    }

    pub(super) fn memory(&self) -> Memory {
        self.usage
    }

    /// The buffer of a region that is not transient.
    pub(super) fn of(&self, region: Region) -> &Buffer {
        let moments = || self.state.optimizer_state().expect("there is an optimiser");
        match region {
            Region::Input => self.input.owned(),
            Region::Targets => self.targets.as_ref().expect("a loss has targets").owned(),
            Region::SampleWeights => {
                self.sample_weights.as_ref().expect("asked for only where planned").owned()
            }
            Region::Outside => self.outside.as_ref().expect("there is no loss").owned(),
            Region::Count => self.count.as_ref().expect("asked for").owned(),
            Region::Parameters => self.state.parameters().owned(),
            Region::Gradient => self.state.gradient().owned(),
            Region::Diagonal => self.state.diagonal().owned(),
            Region::Optimizer => moments().memory.owned(),
            Region::Statistics => self.state.statistics().owned(),
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
        Resource { buffer: buffer.clone(), offset: self.origin(slice.region) + offset, size, dtype }
    }

    /// Where a region begins in its buffer: the host's may be ranges.
    pub(super) fn origin(&self, region: Region) -> u64 {
        let tensor = match region {
            Region::Input => Some(&self.input),
            Region::Targets => self.targets.as_ref(),
            Region::SampleWeights => self.sample_weights.as_ref(),
            Region::Outside => self.outside.as_ref(),
            _ => None,
        };
        tensor.map_or(0, |tensor| tensor.bytes().start)
    }

    /// The bytes of a slice that must have been written before `kernel` reads them in `work`. What comes from outside is
    /// there already: the host's input and targets, parameters, moments, constants. A step reads no gradient but its own.
    fn needed(&self, model: &Model, work: Work, kernel: &Kernel, slice: &Slice) -> Vec<Range<u64>> {
        let measured = kernel.get::<Measure>().map(Measure::range);
        match (slice.region, work, kernel.get::<Update>().map(Update::range).or(measured)) {
            (
                Region::Gradient | Region::Diagonal,
                Work::Step(_) | Work::BackwardStep(_),
                Some(Range { start, end }),
            ) => {
                // The gaps between parameters belong to none, and of what is frozen there is no gradient.
                let trained = self.state.groups().trained(model);
                let mine = model.parameters().iter().zip(trained).filter(|(_, trained)| *trained);
                let mine = mine.map(|(parameter, _)| parameter.range());
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
        let of = |work: Work| {
            schedules.iter().find(|(other, _)| *other == work).map(|(_, schedule)| &schedule.steps[..])
        };
        for ((work, schedule), slots) in schedules.iter().zip(&buffers.slots) {
            let needed = |kernel: &Kernel, slice: &Slice| buffers.needed(model, *work, kernel, slice);
            let before = work.follows().and_then(of).unwrap_or_default();
            let checked = check::reads(before, &schedule.steps, slots, needed);
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
