//! This crate's steps.

use crate::workload::{Data, Workload};
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::{Init, Noise};
use hesscale::{Context, Mode, Pass, Plan, State};
use std::error::Error;

pub(crate) enum Ours {
    Gpu(Context),
    Cpu,
}

/// A repeatable pass.
pub(crate) enum Step {
    Gpu { context: Context, plan: Plan, state: State },
    Cpu { executor: Box<Executor>, mode: Mode, parameters: Vec<f32>, data: Data },
}

impl Ours {
    pub(crate) fn name(&self) -> String {
        match self {
            Ours::Gpu(context) => context.describe(),
            Ours::Cpu => format!("the processor, {} threads", Threads::default().count()),
        }
    }

    pub(crate) fn step(&self, workload: &Workload, mode: Mode) -> Result<Step, Box<dyn Error>> {
        match self {
            Ours::Gpu(context) => {
                let state = workload.state(context)?;
                let plan = workload.plan(context, &state, mode)?;
                Ok(Step::Gpu { context: context.clone(), plan, state })
            }
            Ours::Cpu => {
                let executor =
                    Executor::new(&workload.model, workload.batch, ExecutorOptions::training(mode))?;
                let (parameters, data) = (workload.model.init(Init::Glorot, 1)?, workload.data());
                Ok(Step::Cpu { executor: Box::new(executor), mode, parameters, data })
            }
        }
    }
}

impl Step {
    /// Forward pass, loss and backward pass, waiting for the result.
    pub(crate) fn run(&mut self) -> Result<(), Box<dyn Error>> {
        match self {
            Step::Gpu { context, plan, .. } => {
                let mut encoder = context.device().create_command_encoder(&Default::default());
                plan.record_gradient(&mut encoder, Pass::FULL)?;
                context.queue().submit([encoder.finish()]);
                context.wait()?;
            }
            Step::Cpu { executor, mode, parameters, data } => {
                executor.pass(*mode, parameters, &data.inputs, data.targets(), Noise::default())?;
            }
        }
        Ok(())
    }

    /// The last run's gradient, in the flat layout.
    pub(crate) fn gradient(&self) -> Result<Vec<f32>, Box<dyn Error>> {
        match self {
            Step::Gpu { context, state, .. } => {
                Ok(context.read_blocking(&[state.gradient()])?.swap_remove(0))
            }
            Step::Cpu { executor, .. } => Ok(executor.gradient().to_vec()),
        }
    }
}
