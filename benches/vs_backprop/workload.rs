//! What is timed: networks, batch sizes, modes.

use hesscale::model::{Init, Targets};
use hesscale::{Activation, Context, Loss, Mode, Model, Plan, PlanOptions, Result, State};

/// Plain backprop first.
pub(crate) const MODES: [Mode; 5] =
    [Mode::None, Mode::HesScaleGn, Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2];

/// A network at a batch size.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) network: &'static str,
    pub(crate) batch: usize,
    model: Model,
}

/// All workloads, or those with `only` in their name.
///
/// # Errors
/// Text for the user where there is none.
pub(crate) fn chosen(only: Option<&str>) -> std::result::Result<Vec<Workload>, Box<dyn std::error::Error>> {
    let all = all()?;
    let known = all.iter().map(Workload::name).collect::<Vec<_>>().join("; ");
    let matches = |w: &Workload| only.is_none_or(|part| w.name().contains(part));
    let chosen: Vec<_> = all.into_iter().filter(matches).collect();
    match (chosen.is_empty(), only) {
        (true, Some(only)) => Err(format!("no workload has `{only}` in its name; there are: {known}").into()),
        _ => Ok(chosen),
    }
}

fn all() -> Result<Vec<Workload>> {
    let tanh = |builder: hesscale::model::Builder| builder.act(Activation::Tanh);
    let small =
        tanh(tanh(Model::builder([784]).dense(512)).dense(512)).dense(10).loss(Loss::cross_entropy())?;
    let wide = (0..4).fold(Model::builder([784]), |builder, _| tanh(builder.dense(1024)));
    let wide = wide.dense(10).loss(Loss::cross_entropy())?;
    // Without biases and under the mean squared error, as the cost experiment of the HesScale paper.
    let deep = (0..9).fold(Model::builder([64]), |builder, _| tanh(builder.dense_no_bias(512)));
    let deep = deep.dense_no_bias(100).loss(Loss::mse())?;
    let at = |network, model: &Model, batches: &[usize]| -> Vec<Workload> {
        batches.iter().map(|&batch| Workload { network, batch, model: model.clone() }).collect()
    };
    let mut workloads = at("784-512-512-10 tanh", &small, &[1, 32, 128, 512]);
    workloads.extend(at("784-1024x4-10 tanh", &wide, &[32, 128]));
    workloads.extend(at("64-512x9-100 tanh", &deep, &[1]));
    Ok(workloads)
}

impl Workload {
    pub(crate) fn name(&self) -> String {
        format!("{}, batch {}", self.network, self.batch)
    }

    /// Parameters on the device, shared by the plans of all modes.
    pub(crate) fn state(&self, context: &Context) -> Result<State> {
        let state = State::new(context, &self.model, None)?;
        state.write_parameters(&self.model.init(Init::Glorot, 1))?;
        Ok(state)
    }

    /// A plan with data in it.
    pub(crate) fn plan(&self, context: &Context, state: &State, mode: Mode) -> Result<Plan> {
        let plan = Plan::new(context, &self.model, state, self.batch, PlanOptions::training(mode))?;
        let mut random = fastrand::Rng::with_seed(1);
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32()).collect() };
        plan.write_input(&numbers(self.batch * self.model.inputs()))?;
        if self.model.loss().takes_classes() {
            let outputs = self.model.outputs() as u32;
            let classes: Vec<u32> = (0..self.batch as u32).map(|sample| sample % outputs).collect();
            plan.write_targets(Targets::Classes(&classes))?;
        } else {
            plan.write_targets(Targets::Values(&numbers(self.batch * self.model.outputs())))?;
        }
        Ok(plan)
    }
}
