//! Training on the CPU.

use super::engine::{Act, Answer, Engine, Task, Wait, noise};
use super::{Between, Trainer, TrainerOptions};
use crate::cpu::{self, Executor, ExecutorOptions, Threads};
use crate::memory::{product, room};
use crate::model::{
    Groups, Limits, Mode, Model, Noise, Optimizer, OptimizerState, Span, Transition, batch_of,
};
use crate::ops::loss::HostWeights;
use crate::plan::State;
use crate::shader::Dtype;
use crate::{Error, Result};
use std::future::ready;

impl Trainer {
    /// A trainer on the CPU. The same bits every time for one number of threads: see [`cpu`].
    ///
    /// # Errors
    /// As [`Trainer::new`], but for what concerns a GPU; [`Error::ZeroSize`] for no threads; [`Error::Unsupported`] for a
    /// storage that is not f32; [`Error::Memory`].
    pub fn on_cpu(model: &Model, optimizer: Optimizer, options: TrainerOptions) -> Result<Trainer> {
        let host = Host::new(model, optimizer, &options)?;
        Trainer::with(model, optimizer, &options, Box::new(host))
    }
}

/// The CPU's counterpart of [`crate::State`] and [`crate::Plan`], in plain vectors.
#[derive(Debug)]
struct Host {
    model: Model,
    optimizer: Optimizer,
    groups: Groups,
    /// What is trained of the parameters.
    spans: Vec<Span>,
    parameters: Vec<f32>,
    /// Running ones.
    statistics: Vec<f32>,
    /// Of the last batch.
    loss: Option<f32>,
    /// The error of the first update that produced a non-finite value.
    diverged: Option<Error>,
    memory: OptimizerState<f32>,
    /// Counts backward passes where there is dropout, as a GPU's does.
    noise: Noise,
    threads: Threads,
    /// For the largest batch so far.
    training: Option<Executor>,
    inference: Option<Executor>,
}

impl Host {
    fn new(model: &Model, optimizer: Optimizer, options: &TrainerOptions) -> Result<Host> {
        optimizer.validate()?;
        model.check_on_cpu(true)?;
        if options.storage != Dtype::F32 {
            return Err(Error::unsupported("trainer", "storage in f16 on the CPU"));
        }
        let parameters = model.init(options.init, options.seed)?;
        let threads = options.threads.map_or_else(|| Ok(Threads::default()), Threads::new)?;
        let (groups, spans) = (options.groups.clone(), options.groups.spans(model, &optimizer)?);
        let mut host = Host {
            model: model.clone(),
            optimizer,
            groups,
            spans,
            parameters,
            statistics: model.statistics(),
            loss: None,
            diverged: None,
            memory: OptimizerState::zeroed(model.flat_len())?,
            noise: noise(options.seed),
            threads,
            training: None,
            inference: None,
        };
        host.begin_average();
        Ok(host)
    }

    /// The mean of the parameters begins with those there are.
    fn begin_average(&mut self) {
        if self.optimizer.average.is_some() {
            self.memory.average.clone_from(&self.parameters);
        }
    }

    /// Gradient and, where the task has curvature, the diagonal of its mode.
    fn gradient(&mut self, task: &Task<'_>) -> Result<()> {
        let (threads, groups) = (&self.threads, &self.groups);
        let options = || ExecutorOptions::training(task.mode).threads(threads.clone()).groups(groups.clone());
        let executor = with_room(&mut self.training, &self.model, task.batch, options)?;
        let mode = if task.curvature { task.mode } else { Mode::None };
        executor.take_statistics(&self.statistics);
        let Task { inputs, targets, .. } = *task;
        let weights = HostWeights { given: task.weights, part_of: task.part.map(|part| part.samples) };
        let loss = executor.pass_by(
            mode,
            self.parameters.as_slice().into(),
            inputs,
            targets,
            weights,
            self.noise,
        )?;
        self.loss = Some(loss);
        if self.model.draws() || task.mode.is_sampled() {
            self.noise.step = self.noise.step.wrapping_add(1);
        }
        Ok(())
    }

    /// Running statistics and the optimiser's step by what the last [`Host::gradient`] left.
    fn update(&mut self, curvature: bool) -> Result<()> {
        let executor = self.training.as_ref().expect("a pass goes before");
        self.statistics.copy_from_slice(executor.statistics());
        let diagonal = if curvature { executor.diagonal() } else { &[] };
        let (memory, parameters) = (&mut self.memory, &mut self.parameters);
        let (threads, optimizer, spans) = (&self.threads, &self.optimizer, &self.spans);
        match cpu::update_spans(threads, optimizer, spans, memory, parameters, executor.gradient(), diagonal)
        {
            // Reported with the loss, as on a GPU.
            Err(told @ Error::Diverged { .. }) => {
                self.diverged.get_or_insert(told);
                Ok(())
            }
            other => other,
        }
    }

    fn outputs(&mut self, inputs: &[f32], batch: usize) -> Result<Vec<f32>> {
        let model = &self.model;
        let samples = batch_of("input", inputs.len(), model.inputs())?;
        let mut outputs = room("outputs", product([samples, model.outputs()]))?;
        for chunk in inputs.chunks(batch * model.inputs()) {
            let options = || ExecutorOptions::inference().threads(self.threads.clone());
            let executor = with_room(&mut self.inference, model, batch, options)?;
            executor.take_statistics(&self.statistics);
            outputs.extend_from_slice(executor.predict(&self.parameters, chunk)?);
        }
        Ok(outputs)
    }
}

impl Engine for Host {
    fn describe(&self) -> String {
        match self.threads.count() {
            1 => "CPU, 1 thread".into(),
            count => format!("CPU, {count} threads"),
        }
    }

    fn pass(&mut self, task: &Task<'_>) -> Result<()> {
        self.gradient(task)?;
        if task.update { self.update(task.curvature) } else { Ok(()) }
    }

    /// Nothing waits for them, and sums in f64 are the better.
    fn most_parts(&self) -> usize {
        1
    }

    fn step_with(&mut self, task: &Task<'_>, act: Act<'_>) -> Result<()> {
        let noise = self.noise;
        self.gradient(task)?;
        let executor = self.training.as_mut().expect("a pass went before");
        let (gradient, diagonal) = executor.results_mut();
        let diagonal = if task.curvature { diagonal } else { &mut [] };
        if let Err(error) = act(Between::Cpu { gradient, diagonal, parameters: &self.parameters }) {
            self.noise = noise;
            return Err(error);
        }
        self.update(task.curvature)
    }

    fn state(&self) -> Option<&State> {
        None
    }

    fn threads(&self) -> Option<&Threads> {
        Some(&self.threads)
    }

    fn results(&self, diagonal: bool) -> Result<(Vec<f32>, Vec<f32>)> {
        let executor = self.training.as_ref().expect("a pass goes before");
        let diagonal = if diagonal { executor.diagonal().to_vec() } else { Vec::new() };
        Ok((executor.gradient().to_vec(), diagonal))
    }

    fn loss(&self, _: Wait) -> Answer<'_, Option<f32>> {
        let loss = match (self.loss, &self.diverged) {
            (Some(_), Some(diverged)) => Err(diverged.clone()),
            (loss, _) => Ok(loss),
        };
        Box::pin(ready(loss))
    }

    fn predict<'a>(&'a mut self, inputs: &'a [f32], batch: usize, _: Wait) -> Answer<'a, Vec<f32>> {
        Box::pin(async move { self.outputs(inputs, batch) })
    }

    fn parameters(&self, _: Wait) -> Answer<'_, Vec<f32>> {
        Box::pin(ready(Ok(self.parameters.clone())))
    }

    fn set_parameters(&mut self, flat: &[f32]) -> Result<()> {
        let needed = self.parameters.len();
        Error::check_length("parameters", flat.len(), needed)?;
        self.parameters.copy_from_slice(flat);
        self.begin_average();
        self.diverged = None;
        Ok(())
    }

    fn statistics(&self, _: Wait) -> Answer<'_, Vec<f32>> {
        Box::pin(ready(Ok(self.statistics.clone())))
    }

    fn set_statistics(&mut self, flat: &[f32]) -> Result<()> {
        self.statistics.copy_from_slice(flat);
        Ok(())
    }

    fn average(&self, _: Wait) -> Answer<'_, Option<Vec<f32>>> {
        let average = self.optimizer.average.map(|_| self.memory.average.clone());
        Box::pin(ready(Ok(average)))
    }

    fn set_transition(&mut self, transition: Transition) -> Result<()> {
        let changed = self.optimizer.transition(transition);
        changed.validate()?;
        self.optimizer = changed;
        Ok(())
    }

    fn set_limits(&mut self, limits: Limits) -> Result<()> {
        self.optimizer.limits.check_kinds(&limits)?;
        let changed = self.optimizer.limits(limits);
        changed.validate()?;
        self.optimizer = changed;
        Ok(())
    }

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        let changed = self.optimizer.learning_rate(learning_rate);
        changed.validate()?;
        self.optimizer = changed;
        Ok(())
    }

    fn memory(&self) -> Result<(OptimizerState<f32>, Noise)> {
        Ok((self.memory.clone(), self.noise))
    }

    fn noise(&self) -> Result<Noise> {
        Ok(self.noise)
    }

    fn set_noise(&mut self, noise: Noise) -> Result<()> {
        self.noise = noise;
        Ok(())
    }

    fn restore(&mut self, memory: OptimizerState<f32>, noise: Noise) -> Result<()> {
        (self.memory, self.noise, self.loss, self.diverged) = (memory, noise, None, None);
        Ok(())
    }

    /// Every pass is done when it returns.
    fn wait(&self) -> Result<()> {
        Ok(())
    }
}

/// The executor, if it has room for `batch` samples, else a new one in its place.
fn with_room<'a>(
    kept: &'a mut Option<Executor>,
    model: &Model,
    batch: usize,
    options: impl FnOnce() -> ExecutorOptions,
) -> Result<&'a mut Executor> {
    let executor = match kept.take() {
        Some(executor) if executor.batch() >= batch => executor,
        _ => Executor::new(model, batch, options())?,
    };
    Ok(kept.insert(executor))
}
