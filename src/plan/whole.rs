//! Small networks in one kernel: whether a model is one, and its schedules.

use super::PlanOptions;
use super::schedules::{Schedules, modes, passes};
use super::work::Work;
use crate::gemm::{
    Back, Gather, MOST_CLASSES, MOST_LAYERS, WholeKernel, WholeLayer, WholeNetwork, WholePass,
};
use crate::graph::{Graph, Op, Purpose, Region, Schedule, Setup, Slice};
use crate::model::{Activation, CustomLoss, Loss, Mode, Role};
use crate::ops::{dense::Dense, loss, optimizer};
use crate::shader::Dtype;
use crate::{Error, Result};

/// The network, if it is to be taken as a whole.
pub(super) fn chosen(
    setup: &Setup<'_>,
    graph: &Graph,
    options: &PlanOptions,
) -> Result<Option<WholeNetwork>> {
    let asked = options.whole_network;
    if asked == Some(false) {
        return Ok(None);
    }
    match (possible(setup, graph, options), asked) {
        (Err(why), Some(true)) => Err(why),
        (Err(_), _) => Ok(None),
        // It would compute what nobody needs.
        (Ok(_), None) if options.training && setup.trained().count() < setup.model.parameters().len() => {
            Ok(None)
        }
        (Ok(whole), None) if !pays(&whole) => Ok(None),
        (Ok(whole), _) => Ok(Some(whole)),
    }
}

/// On software adapters dispatches are cheap except at few samples: docs/performance.md. On GPUs, not measured yet: small
/// batches, where launches dominate.
fn pays(whole: &WholeNetwork) -> bool {
    !whole.class.is_software() && whole.batch <= 256
}

fn possible(setup: &Setup<'_>, graph: &Graph, options: &PlanOptions) -> Result<WholeNetwork> {
    let refused = |layer: &str, kind: &str| {
        Err(Error::unsupported(layer, format!("{kind} in a whole network's kernel")))
    };
    if !options.signals.is_empty() {
        let what = "signals of a network that is taken as a whole";
        return Err(Error::not_planned(what, "PlanOptions::whole_network, not forced"));
    }
    if !options.activations.is_empty() {
        let what = "activations of a network that is taken as a whole";
        return Err(Error::not_planned(what, "PlanOptions::whole_network, not forced"));
    }
    if setup.options.partial {
        return refused("network", "a batch in part");
    }
    if options.storage != Dtype::F32 {
        return refused("network", "storage in f16");
    }
    if options.training && setup.model.loss().is_external() {
        return refused("loss", "a backward pass from the host's signal");
    }
    // It knows no other scale of u.
    if options.training && options.mode == Mode::Fisher {
        return refused("loss", "mode fisher");
    }
    if options.training && options.mode.is_sampled() {
        return refused("loss", "random vectors");
    }
    // There is no binding left for them.
    if options.training && options.sample_weights {
        return refused("loss", "a weight for each sample");
    }
    // The signal lies where the outputs do, which every part may read.
    if options.training && matches!(setup.model.loss(), Loss::Custom(CustomLoss::ByRow(_))) {
        return refused("loss", "a loss by row of the user's own");
    }
    // Its divisor is a sum over the batch, of which a workgroup sees a chunk.
    if options.training && loss::sums_weights(setup.model.loss(), options.sample_weights) {
        return refused("loss", "a weighted mean");
    }
    let (mut layers, mut activation): (Vec<WholeLayer>, _) = (Vec::new(), Activation::Identity);
    let mut end = 0;
    for op in &graph.ops {
        let name = &graph.values[op.output].name;
        if op.inputs.iter().any(|input| graph.root(*input) != end) || graph.readers(end) != 1 {
            return refused(name, "a branch");
        }
        if op.node.is_some_and(|node| setup.model.nodes()[node].shares.is_some()) {
            return refused(name, "shared parameters");
        }
        match (op.operation.get::<Dense>(), op.operation.activation(), layers.last_mut()) {
            (Some(Dense { inputs, outputs, bias }), ..) => {
                let offset = |role| offset(setup, op, role);
                layers.push(WholeLayer {
                    inputs: *inputs as u32,
                    outputs: *outputs as u32,
                    weight: offset(Role::Weight).unwrap_or(0),
                    bias: offset(Role::Bias).filter(|_| *bias),
                    activated: false,
                });
            }
            (None, Some(act), Some(layer)) if !layer.activated => {
                if activation != Activation::Identity && act != activation {
                    return refused(name, "a second kind of activation");
                }
                (activation, layer.activated) = (act, true);
            }
            (None, Some(_), _) => return refused(name, "an activation that follows no dense layer"),
            _ => return refused(name, "a layer that is not dense"),
        }
        end = op.output;
    }
    let limit =
        |limit, needed: u64, available: u64| Err(Error::limit("whole network", limit, needed, available));
    let model = setup.model;
    if layers.is_empty() || model.positions() > 1 || graph.root(graph.logits) != end {
        return refused("network", "no dense layer");
    }
    if layers.len() > MOST_LAYERS {
        return limit("layers", layers.len() as u64, MOST_LAYERS as u64);
    }
    let class_weights = model.loss().output_weights(model.output_shape()).map_or(0, |weights| weights.len());
    if class_weights > MOST_CLASSES {
        return limit("class weights", class_weights as u64, MOST_CLASSES as u64);
    }
    let whole = WholeNetwork {
        class: setup.tuning.class,
        layers,
        activation,
        loss: model.loss().clone(),
        batch: setup.batch as u32,
        flat: setup.flat_len() as u32,
    };
    let modes = modes(options).map(Some).filter(|_| options.training).chain([None]);
    for (needed, available) in modes.map(|mode| whole.memory(mode)) {
        if needed > available {
            return limit("max_compute_workgroup_storage_size", needed, available);
        }
    }
    setup.tuning.allowed.check("whole network", whole.workgroup())?;
    let diagonal = options.training && options.mode.has_diagonal();
    let (results, most) = (4 * whole.results(diagonal).len, 64 << 20);
    if results > most {
        return limit("bytes of partial sums", results, most);
    }
    if !whole.loops_end() {
        return limit("trips of an invocation's loops", u64::from(whole.batch), u64::from(whole.chunk()));
    }
    Ok(whole)
}

fn offset(setup: &Setup<'_>, op: &Op, role: Role) -> Option<u32> {
    let parameter = op.node.and_then(|node| setup.model.parameter_of(node, role));
    parameter.map(|parameter| parameter.offset as u32)
}

struct WholeBuilder<'a> {
    setup: &'a Setup<'a>,
    network: &'a WholeNetwork,
    targets: Option<Slice>,
    /// Loss, logits, losses and partial sums in one buffer.
    results: Slice,
}

pub(super) fn build(setup: &Setup<'_>, network: &WholeNetwork, options: &PlanOptions) -> Result<Schedules> {
    let training = options.training;
    let layout = network.results(training && options.mode.has_diagonal());
    let results = setup.own(Purpose::Activation, "results", layout.len as usize);
    let targets = if training { Some(loss::targets(setup)?) } else { None };
    let builder = WholeBuilder { setup, network, targets, results };

    let mut schedules = vec![(Work::Forward, builder.walk(WholePass::Forward))];
    for (mode, pass) in passes(options).filter(|_| training) {
        let (scale, accumulate) = (options.scale, pass.accumulate);
        let back = Back { mode, scale, accumulate, update: None };
        schedules.push((Work::Gradient(pass), builder.pass(back)));
        if let Some(update) = optimizer::update(setup, mode)? {
            let step = match optimizer::sums(setup) {
                true => optimizer::behind(setup, &update, builder.pass(back)),
                false => builder.pass(Back { update: Some(update), ..back }),
            };
            schedules.push((Work::Step(pass), step));
            if !accumulate {
                let update = optimizer::behind(setup, &update, Schedule::default());
                schedules.push((Work::Update(pass), update));
            }
        }
    }
    let logits = setup.elements("logits", setup.model.outputs())?;
    let logits = Slice::new(results.region, layout.logits as usize, logits);
    let loss = training.then(|| Slice::new(results.region, 0, 1));
    Ok(Schedules { all: schedules, logits, loss, signals: Vec::new(), activations: Vec::new() })
}

impl WholeBuilder<'_> {
    fn pass(&self, back: Back) -> Schedule {
        let (setup, mut schedule) = (self.setup, self.walk(WholePass::Back(back)));
        if self.network.chunks() > 1 {
            let mut slices = vec![self.results, setup.flat(Region::Gradient)];
            if back.update.is_some() {
                slices.push(setup.flat(Region::Parameters));
                slices.extend(optimizer::memory(setup));
            }
            slices.extend(back.mode.has_diagonal().then(|| setup.flat(Region::Diagonal)));
            schedule.push(Gather { net: self.network.clone(), back }, slices);
        }
        schedule
    }

    fn walk(&self, pass: WholePass) -> Schedule {
        let setup = self.setup;
        let input = Slice::new(Region::Input, 0, setup.batch * setup.model.inputs());
        let mut slices = vec![setup.flat(Region::Parameters), input, self.results];
        if let WholePass::Back(back) = pass {
            slices.extend(self.targets);
            if self.network.chunks() > 1 {
                slices.extend(optimizer::memory(setup).filter(|_| back.counts()));
            } else {
                slices.push(setup.flat(Region::Gradient));
                slices.extend(optimizer::memory(setup).filter(|_| back.update.is_some()));
                slices.extend(back.mode.has_diagonal().then(|| setup.flat(Region::Diagonal)));
            }
        }
        let mut schedule = Schedule::default();
        schedule.push(WholeKernel { net: self.network.clone(), pass }, slices);
        schedule
    }
}
