//! Small networks of dense layers as a whole: whether one is, and its few kernels.

use super::build::{Builder, Parts};
use super::memory::Kind;
use super::network::{Network, Op, OpKind};
use super::schedule::{Place, Schedule};
use super::work::Work;
use super::{Training, update};
use crate::gpu::{Resource, Tensor};
use crate::kernel::{
    Back, DeviceClass, Gather, Job, Kernel, Layer, MOST_CLASSES, MOST_LAYERS, Number, Whole, WholeKernel,
};
use crate::model::{Activation, Role};
use crate::{Error, Result};

/// The network, if it is to be taken as a whole.
///
/// # Errors
/// Why it cannot be, where that was asked for.
pub(super) fn chosen(builder: &Builder<'_>, network: &Network) -> Result<Option<Whole>> {
    let asked = builder.options.whole_network;
    if asked == Some(false) {
        return Ok(None);
    }
    match (possible(builder, network), asked) {
        (Err(why), Some(true)) => Err(why),
        (Err(_), _) => Ok(None),
        (Ok(whole), None) if !pays(&whole) => Ok(None),
        (Ok(whole), _) => Ok(Some(whole)),
    }
}

/// On a software adapter what a dispatch costs is paid off at few samples only: measured in docs/performance.md. On a GPU
/// not measured yet: small batches, where launches are most of the time.
fn pays(whole: &Whole) -> bool {
    match whole.class {
        DeviceClass::Software => false,
        _ => whole.batch <= 256,
    }
}

fn possible(builder: &Builder<'_>, network: &Network) -> Result<Whole> {
    let refused = |layer: &str, kind: &str| {
        Err(Error::Unsupported { layer: layer.into(), kind: format!("{kind} in a whole network's kernel") })
    };
    if !builder.options.signals.is_empty() {
        let what = "signals of a network that is taken as a whole".into();
        return Err(Error::NotPlanned { what, ask: "PlanOptions::whole_network, not forced" });
    }
    if builder.options.storage != Number::F32 {
        return refused("network", "storage in f16");
    }
    let (mut layers, mut activation): (Vec<Layer>, _) = (Vec::new(), Activation::Identity);
    let mut end = 0;
    for op in &network.ops {
        let name = &network.values[op.output].name;
        if op.inputs.iter().any(|input| network.root(*input) != end) || network.readers(end) != 1 {
            return refused(name, "a branch");
        }
        match (&op.kind, layers.last_mut()) {
            (OpKind::Dense { inputs, outputs, bias }, _) => {
                let place = |role| place(builder, op, role);
                layers.push(Layer {
                    inputs: *inputs as u32,
                    outputs: *outputs as u32,
                    weight: place(Role::Weight).unwrap_or(0),
                    bias: place(Role::Bias).filter(|_| *bias),
                    activated: false,
                });
            }
            (OpKind::Act(act), Some(layer)) if !layer.activated => {
                if activation != Activation::Identity && *act != activation {
                    return refused(name, "a second kind of activation");
                }
                (activation, layer.activated) = (*act, true);
            }
            (OpKind::Act(_), _) => return refused(name, "an activation that follows no dense layer"),
            _ => return refused(name, "a layer that is not dense"),
        }
        end = op.output;
    }
    let limit = |limit, needed: u64, available: u64| {
        Err(Error::Limit { place: "whole network".into(), limit, needed, available })
    };
    let model = builder.model;
    if layers.is_empty() || model.positions() > 1 || network.root(network.logits) != end {
        return refused("network", "no dense layer");
    }
    if layers.len() > MOST_LAYERS {
        return limit("layers", layers.len() as u64, MOST_LAYERS as u64);
    }
    let class_weights = model.loss().weights().map_or(0, <[f32]>::len);
    if class_weights > MOST_CLASSES {
        return limit("class weights", class_weights as u64, MOST_CLASSES as u64);
    }
    let whole = Whole {
        class: builder.context.class(),
        layers,
        activation,
        loss: model.loss().clone(),
        batch: builder.batch as u32,
        flat: builder.state.parameters().len() as u32,
    };
    let modes = builder.modes().map(Some).filter(|_| builder.options.training).chain([None]);
    for (needed, available) in modes.map(|mode| whole.memory(mode)) {
        if needed > available {
            return limit("max_compute_workgroup_storage_size", needed, available);
        }
    }
    builder.context.check_workgroup("whole network", whole.workgroup())?;
    let diagonal = builder.options.training && builder.options.mode.has_diagonal();
    let (results, most) = (4 * whole.results(diagonal).len, 64 << 20);
    if results > most {
        return limit("bytes of partial sums", results, most);
    }
    if !whole.loops_end() {
        return limit("trips of an invocation's loops", u64::from(whole.batch), u64::from(whole.chunk()));
    }
    Ok(whole)
}

fn place(builder: &Builder<'_>, op: &Op, role: Role) -> Option<u32> {
    let parameter = op.node.and_then(|node| builder.model.parameter_of(node, role));
    parameter.map(|parameter| parameter.offset as u32)
}

/// What the kernels bind.
struct Ends<'a> {
    builder: &'a Builder<'a>,
    net: &'a Whole,
    input: &'a Tensor,
    targets: Option<Tensor>,
    results: Tensor,
}

pub(super) fn build(builder: &Builder<'_>, net: &Whole, input: &Tensor) -> Result<Parts> {
    let training = builder.options.training;
    let places = net.results(training && builder.options.mode.has_diagonal());
    let len = places.len as usize;
    let buffer = builder.storage(Kind::Activation, "results", len)?;
    let logits = builder.with_batch(builder.model.output_shape());
    let logits = Tensor::new("logits", &buffer, places.logits as usize, &logits);
    let targets = if training { Some(builder.targets()?) } else { None };
    let results = Tensor::new("results", &buffer, 0, &[len]);
    let ends = Ends { builder, net, input, targets, results };

    let mut schedules = vec![(Work::Forward, ends.walk(Job::Forward))];
    for (mode, pass) in builder.passes().filter(|_| training) {
        let (scale, accumulate) = (builder.options.scale, pass.accumulate);
        let back = Back { mode, scale, accumulate, update: None };
        schedules.push((Work::Gradient(pass), ends.pass(back)));
        if let Some(update) = update::key(builder, mode)? {
            schedules.push((Work::Step(pass), ends.pass(Back { update: Some(update), ..back })));
            if !accumulate {
                schedules.push((Work::Update(pass), update::behind(builder, &update, Schedule::default())));
            }
        }
    }
    let training = ends.targets.map(|targets| {
        let loss = Tensor::new("loss", &buffer, 0, &[1]);
        Training { targets, loss, signals: Vec::new() }
    });
    Ok(Parts { schedules, training, logits })
}

impl Ends<'_> {
    fn pass(&self, back: Back) -> Schedule {
        let mut schedule = self.walk(Job::Back(back));
        if self.net.chunks() > 1 {
            let state = self.builder.state;
            let mut places = vec![self.results.resource(), state.gradient().resource()];
            if back.update.is_some() {
                places.push(state.parameters().resource());
                places.extend(self.memory());
            }
            places.extend(back.mode.has_diagonal().then(|| state.diagonal().resource()));
            let gather = Gather { net: self.net.clone(), back };
            schedule.push(Kernel::Gather(gather), places.into_iter().map(Place::from).collect());
        }
        schedule
    }

    fn walk(&self, job: Job) -> Schedule {
        let state = self.builder.state;
        let mut places: Vec<Resource> =
            [state.parameters(), self.input, &self.results].map(Tensor::resource).into();
        if let Job::Back(back) = job {
            places.extend(self.targets.as_ref().map(Tensor::resource));
            if self.net.chunks() > 1 {
                places.extend(self.memory().filter(|_| back.counts()));
            } else {
                places.push(state.gradient().resource());
                places.extend(self.memory().filter(|_| back.update.is_some()));
                places.extend(back.mode.has_diagonal().then(|| state.diagonal().resource()));
            }
        }
        let kernel = WholeKernel { net: self.net.clone(), job };
        let mut schedule = Schedule::default();
        schedule.push(Kernel::Whole(kernel), places.into_iter().map(Place::from).collect());
        schedule
    }

    fn memory(&self) -> Option<Resource> {
        self.builder.state.optimizer_state().map(|moments| moments.memory.resource())
    }
}
