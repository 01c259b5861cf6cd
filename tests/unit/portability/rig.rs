//! A job's plan on a device.

use super::common::compare;
use super::job::{Job, Kind, Slot};
use super::permutation::{Permutation, extensions};
use crate::Result;
use crate::gemm::Tuning;
use crate::gpu::{Buffer, Context, Dispatch, Tensor};
use crate::plan::{Outline, Pass, Plan, State, Work};
use crate::shader::Kernel;
use crate::tuning::TileTable;
use std::collections::BTreeSet;

pub(super) struct Rig {
    context: Context,
    state: State,
    plan: Plan,
    /// What is recorded.
    pub steps: Vec<Dispatch>,
    /// Results by name, where they lie, and what they must be.
    pub expected: Vec<(String, Tensor, Vec<f64>)>,
}

impl Rig {
    pub(super) fn new(context: &Context, job: &Job) -> Result<Rig> {
        let optimizer = job.kind.optimizer();
        let state = State::new(context, &job.model, optimizer)?;
        state.write_parameters(&job.parameters)?;
        let plan = Plan::new(context, &job.model, &state, job.batch, job.options())?;
        plan.write_input(&job.x)?;
        match job.kind {
            Kind::Inference => {}
            Kind::Outside => job.with_signal(|signal| plan.write_signal(signal))?,
            _ => {
                plan.write_targets(job.targets.view())?;
                job.weights.as_ref().map_or(Ok(()), |weights| plan.write_sample_weights(weights))?;
            }
        }
        if job.kind == Kind::Partial {
            plan.write_count(job.samples())?;
        }
        let list = |work| plan.kernels(work).expect("planned");
        let steps = works(job.kind).into_iter().flat_map(list).cloned().collect();
        let mut rig = Rig { context: context.clone(), state, plan, steps, expected: Vec::new() };
        for (slot, values) in job.expected()? {
            rig.expected.push((format!("{slot:?}"), rig.tensor(job, &slot)?, values));
        }
        Ok(rig)
    }

    fn tensor(&self, job: &Job, slot: &Slot) -> Result<Tensor> {
        let part = |flat, i: &usize| self.state.part(flat, &job.model.parameters()[*i]);
        Ok(match slot {
            Slot::Loss => self.plan.loss()?.clone(),
            Slot::Logits => self.plan.logits().clone(),
            Slot::Gradient(i) => part(self.state.gradient(), i)?,
            Slot::Diagonal(i) => part(self.state.diagonal(), i)?,
            Slot::Parameter(i) => part(self.state.parameters(), i)?,
            Slot::SignalGradient(at) => self.plan.signal_gradient(*at)?.clone(),
            Slot::SignalDiagonal(at) => self.plan.signal_diagonal(*at)?.clone(),
        })
    }

    /// Which permutations it stands for.
    pub(super) fn permutations(&self) -> BTreeSet<String> {
        stands_for(self.steps.iter().map(|step| step.made_of.0.source()))
    }

    /// All of these buffers, whatever the crate thinks is in them.
    pub(super) fn read(&self, buffers: &[Buffer]) -> Result<Vec<Vec<f32>>> {
        let whole = |buffer: &Buffer| Tensor::new("whole", buffer, 0, &[buffer.size() as usize / 4]);
        let tensors: Vec<Tensor> = buffers.iter().map(whole).collect();
        self.context.read_blocking(&tensors.iter().collect::<Vec<_>>())
    }

    /// Runs it; the worst error, or what is wrong.
    pub(super) fn run(&self, job: &Job) -> std::result::Result<f64, String> {
        let results = self.results().map_err(|e| format!("{}: {e}", job.name))?;
        let mut worst = 0.0_f64;
        for ((name, _, want), got) in self.expected.iter().zip(results) {
            let got: Vec<f64> = got.into_iter().map(f64::from).collect();
            worst = worst.max(compare(&format!("{}: {name}", job.name), &got, want, job.bound)?);
        }
        Ok(worst)
    }

    fn results(&self) -> Result<Vec<Vec<f32>>> {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        self.steps.iter().for_each(|step| step.record(&mut pass));
        drop(pass);
        self.context.queue().submit([encoder.finish()]);
        let tensors: Vec<&Tensor> = self.expected.iter().map(|(_, tensor, _)| tensor).collect();
        self.context.read_blocking(&tensors)
    }
}

/// The permutations that a job with such shaders stands for: those that take part, and where some are written with an extension,
/// those only. The others are held to closer bounds elsewhere.
fn stands_for(sources: impl Iterator<Item = String>) -> BTreeSet<String> {
    let sources: Vec<String> = sources.collect();
    let extended = |source: &&String| !extensions(source).is_empty();
    let any = sources.iter().any(|source| extended(&source));
    sources.iter().filter(|source| !any || extended(source)).map(|source| Permutation::id(source)).collect()
}

/// The permutations that a job stands for where these tiles are chosen from: as its [`Rig`], without a device.
pub(super) fn outlined(job: &Job, tiles: Option<&TileTable>) -> Result<BTreeSet<String>> {
    let tuning = Tuning { table: tiles, ..job.class.into() };
    let outline =
        Outline::tuned(tuning, &job.model, job.batch, job.kind.optimizer().as_ref(), &job.options())?;
    let list = |work: Work| outline.list(work.in_mode(job.mode)).expect("planned").map(Kernel::source);
    Ok(stands_for(works(job.kind).into_iter().flat_map(list)))
}

/// What is recorded, in order.
fn works(kind: Kind) -> Vec<Work> {
    match kind {
        Kind::Inference => vec![Work::Forward],
        Kind::Signals | Kind::Product(_) | Kind::Fused | Kind::Weighted | Kind::Joined | Kind::Partial => {
            vec![Work::Gradient(Pass::FULL)]
        }
        Kind::Outside => vec![Work::Forward, Work::Backward(Pass::FULL)],
        Kind::Whole => vec![Work::Forward, Work::Gradient(Pass::FULL)],
        Kind::Accumulated | Kind::JoinedAccumulated | Kind::WholeAccumulated => {
            vec![Work::Gradient(Pass::FULL), Work::Gradient(Pass::FULL.accumulating())]
        }
        Kind::Steps(_) | Kind::FusedSteps(_) | Kind::JoinedSteps(_) | Kind::WholeSteps(_) => {
            vec![Work::Step(Pass::FULL), Work::Step(Pass::FULL.without_curvature())]
        }
    }
}
