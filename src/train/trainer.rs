//! The trainer.

use super::TrainerOptions;
use super::engine::{Act, Engine, Task, Wait};
use crate::model::{Groups, Limits, Mode, Model, Optimizer, Schedule, Targets, Transition, batch_of};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Trains one model, on a GPU or on the CPU ([`cpu`](crate::cpu)).
///
/// Calls that wait for the GPU block. In a browser nothing may block, so they return [`Error::Device`]; use the calls that end in
/// `_async` there, and in hosts with their own executor.
///
/// ```no_run
/// # fn main() -> hesscale::Result<()> {
/// use hesscale::{Activation, Loss, Model, Optimizer, model::Targets, train::Trainer};
///
/// let model = Model::builder([2]).dense(16).act(Activation::Tanh).dense(2).loss(Loss::cross_entropy())?;
/// let optimizer = Optimizer::ada_hesscale(1e-3);
/// let mut trainer = pollster::block_on(Trainer::request(&model, optimizer, Default::default()))?;
/// println!("training on {}", trainer.device());
/// let (x, y) = ([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [0, 1, 1, 0]);
/// for _ in 0..1000 {
///     trainer.step(&x, Targets::Classes(&y))?;
/// }
/// println!("loss {}", trainer.loss()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Trainer {
    pub(super) model: Model,
    pub(super) mode: Mode,
    pub(super) curvature_every: usize,
    /// At the current learning rate, which the schedule has not been applied to, and the current limits.
    pub(super) optimizer: Optimizer,
    pub(super) schedule: Option<Schedule>,
    pub(super) groups: Groups,
    pub(super) seed: u64,
    pub(super) steps: u64,
    pub(super) notes: BTreeMap<String, String>,
    pub(super) engine: Box<dyn Engine>,
}

impl Trainer {
    pub(super) fn with(
        model: &Model,
        optimizer: Optimizer,
        options: &TrainerOptions,
        engine: Box<dyn Engine>,
    ) -> Result<Trainer> {
        if options.curvature_every == 0 {
            return Err(Error::value("trainer", "curvature_every", 0.0, "at least 1"));
        }
        if model.loss().is_external() {
            return Err(Error::unsupported(
                "trainer",
                "a loss of the host's own: a Plan or an Executor begins at its signal",
            ));
        }
        options.schedule.as_ref().map_or(Ok(()), Schedule::validate)?;
        let mode = options.mode.unwrap_or(optimizer.rule.mode());
        model.check_mode(mode)?;
        if optimizer.rule.mode().has_diagonal() && !mode.has_diagonal() {
            let what = format!("the diagonal that {} reads", optimizer.rule.name());
            return Err(Error::not_planned(what, "TrainerOptions::mode, a mode with a diagonal"));
        }
        let TrainerOptions { curvature_every, seed, ref schedule, ref groups, .. } = *options;
        let (model, notes) = (model.clone(), BTreeMap::new());
        let (schedule, groups) = (schedule.clone(), groups.clone());
        Ok(Trainer {
            model,
            mode,
            curvature_every,
            optimizer,
            schedule,
            groups,
            seed,
            steps: 0,
            notes,
            engine,
        })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What it trains on: the GPU's adapter, or the CPU and the number of threads.
    pub fn device(&self) -> String {
        self.engine.describe()
    }

    /// The optimiser, with its current learning rate, before the schedule, and its current limits.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// How the learning rate changes over the steps: the options', or the loaded checkpoint's.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f32 {
        let factor = self.schedule.as_ref().map_or(1.0, |schedule| schedule.factor(self.steps));
        (f64::from(self.optimizer.learning_rate) * factor) as f32
    }

    /// The groups of parameters.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Steps taken, including those before a loaded checkpoint.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The seed from the options or from the loaded checkpoint. If the order of samples depends only on it and the epoch, it is
    /// the same with and without an interruption.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The user's notes in the checkpoint, by name: for example a batch size or the name of a data set.
    pub fn notes(&self) -> &BTreeMap<String, String> {
        &self.notes
    }

    /// Adds a note, or replaces the one with this name.
    pub fn set_note(&mut self, name: impl Into<String>, note: impl ToString) {
        self.notes.insert(name.into(), note.to_string());
    }

    /// One step on a batch of any size: `inputs` `[N, inputs]` row by row. On a GPU the step is submitted without
    /// waiting.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NoRow`] and the targets' errors; [`Error::Device`]. Nothing changes on an error.
    pub fn step(&mut self, inputs: &[f32], targets: Targets<'_>) -> Result<()> {
        self.advance(inputs, targets, None, None)
    }

    /// The same with a weight for each sample, of any sign, which multiplies its loss and the signal that it begins: importance
    /// sampling, or with a cross-entropy and advantages for weights the policy gradient.
    ///
    /// # Errors
    /// As [`Trainer::step`], and all of [`Model::check_sample_weights`].
    pub fn weighted_step(&mut self, inputs: &[f32], targets: Targets<'_>, weights: &[f32]) -> Result<()> {
        self.advance(inputs, targets, Some(weights), None)
    }

    /// A step, with what may be done between gradient and update.
    pub(super) fn advance(
        &mut self,
        inputs: &[f32],
        targets: Targets<'_>,
        weights: Option<&[f32]>,
        act: Option<Act<'_>>,
    ) -> Result<()> {
        let curvature = self.steps.is_multiple_of(self.curvature_every as u64);
        let task = self.task(inputs, targets, weights, curvature)?;
        self.follow_schedule()?;
        match act {
            Some(act) => self.engine.step_with(&task, act),
            None => self.engine.pass(&Task { update: true, ..task }),
        }?;
        self.steps = self.steps.saturating_add(1);
        Ok(())
    }

    /// Sets the learning rate of the next step, where a schedule decides it.
    fn follow_schedule(&mut self) -> Result<()> {
        match self.schedule {
            Some(_) => self.engine.set_learning_rate(self.learning_rate()),
            None => Ok(()),
        }
    }

    /// Gradient and, in a mode that has one, diagonal on a batch, in the flat layout, 0 where all parameters of a layer are frozen;
    /// parameters, running statistics and what dropout will draw stay as they are. [`Trainer::loss`] is then that of this batch.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn gradient(&mut self, inputs: &[f32], targets: Targets<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
        self.looking(|trainer| trainer.gradient_of(inputs, targets, None))
    }

    /// The same with a weight for each sample.
    ///
    /// # Errors
    /// As [`Trainer::weighted_step`].
    pub fn weighted_gradient(
        &mut self,
        inputs: &[f32],
        targets: Targets<'_>,
        weights: &[f32],
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        self.looking(|trainer| trainer.gradient_of(inputs, targets, Some(weights)))
    }

    /// What looks at gradients, after which training goes on as if nothing had: dropout and HesScale-S draw what they would
    /// have drawn.
    pub(super) fn looking<R>(&mut self, look: impl FnOnce(&mut Trainer) -> Result<R>) -> Result<R> {
        if !self.model.draws() && !self.mode.is_sampled() {
            return look(self);
        }
        let noise = self.engine.noise()?;
        let found = look(self);
        self.engine.set_noise(noise)?;
        found
    }

    pub(super) fn gradient_of(
        &mut self,
        inputs: &[f32],
        targets: Targets<'_>,
        weights: Option<&[f32]>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let task = self.task(inputs, targets, weights, true)?;
        self.engine.pass(&task)?;
        self.results()
    }

    /// Of the last pass without an update, or of the last ones that were added up.
    pub(super) fn results(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut gradient, mut diagonal) = self.engine.results(self.mode.has_diagonal())?;
        gradient.truncate(self.model.flat_len());
        diagonal.truncate(self.model.flat_len());
        Ok((gradient, diagonal))
    }

    /// A pass without an update, checked.
    pub(super) fn task<'a>(
        &self,
        inputs: &'a [f32],
        targets: Targets<'a>,
        weights: Option<&'a [f32]>,
        curvature: bool,
    ) -> Result<Task<'a>> {
        let batch = batch_of("input", inputs.len(), self.model.inputs())?;
        self.model.check_inputs(inputs)?;
        self.model.check_targets(batch, targets)?;
        weights.map_or(Ok(()), |weights| self.model.check_sample_weights(batch, weights))?;
        let (mode, lazy, update) = (self.mode, self.curvature_every > 1, false);
        Ok(Task { mode, curvature, lazy, update, batch, inputs, targets, weights, part: None })
    }

    /// The loss of the last batch, before its update. Waits for the GPU.
    ///
    /// # Errors
    /// [`Error::Diverged`] if it is NaN or infinite, or if any step since the parameters were set or loaded left a non-finite
    /// parameter or second moment; this is checked at each step and read together with the loss. [`Error::Device`];
    /// [`Error::NotPlanned`] before the first step.
    pub fn loss(&self) -> Result<f32> {
        pollster::block_on(self.loss_by(Wait::Block))
    }

    /// As [`Trainer::loss`], but async instead of blocking.
    ///
    /// # Errors
    /// As [`Trainer::loss`].
    pub async fn loss_async(&self) -> Result<f32> {
        self.loss_by(Wait::Yield).await
    }

    async fn loss_by(&self, wait: Wait) -> Result<f32> {
        let missing = || Error::not_planned("a loss", "Trainer::step");
        let loss = self.engine.loss(wait).await?.ok_or_else(missing)?;
        match loss.is_finite() {
            true => Ok(loss),
            false => Err(Error::Diverged { what: "the loss", step: Some(self.steps) }),
        }
    }

    /// All parameters in the flat layout ([`crate::model::Parameter::offset`]). Waits for the GPU.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn parameters(&self) -> Result<Vec<f32>> {
        pollster::block_on(self.parameters_by(Wait::Block))
    }

    /// As [`Trainer::parameters`], but async instead of blocking.
    ///
    /// # Errors
    /// As [`Trainer::parameters`].
    pub async fn parameters_async(&self) -> Result<Vec<f32>> {
        self.parameters_by(Wait::Yield).await
    }

    async fn parameters_by(&self, wait: Wait) -> Result<Vec<f32>> {
        let mut flat = self.engine.parameters(wait).await?;
        flat.truncate(self.model.flat_len());
        Ok(flat)
    }

    /// The mean of the parameters over the steps, in the flat layout. Waits for the GPU.
    ///
    /// # Errors
    /// [`Error::NotPlanned`] where the optimiser keeps none ([`Optimizer::average`]); [`Error::Device`].
    pub fn averaged_parameters(&self) -> Result<Vec<f32>> {
        pollster::block_on(self.average_by(Wait::Block))
    }

    /// As [`Trainer::averaged_parameters`], but async instead of blocking.
    ///
    /// # Errors
    /// As [`Trainer::averaged_parameters`].
    pub async fn averaged_parameters_async(&self) -> Result<Vec<f32>> {
        self.average_by(Wait::Yield).await
    }

    async fn average_by(&self, wait: Wait) -> Result<Vec<f32>> {
        let missing = || Error::not_planned("a mean of the parameters", "Optimizer::average");
        let mut flat = self.engine.average(wait).await?.ok_or_else(missing)?;
        flat.truncate(self.model.flat_len());
        Ok(flat)
    }

    /// Replaces all parameters; the optimiser's moments stay, and a mean of the parameters begins anew.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::Device`].
    pub fn set_parameters(&mut self, flat: &[f32]) -> Result<()> {
        self.engine.set_parameters(flat)
    }

    /// The running statistics of batch normalisations, flat ([`crate::model::RunningStatistics`]): what [`Trainer::predict`] goes
    /// by. [`Model::with_statistics`] puts them into a model, for files of weights and WGSL. Waits for the GPU.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn statistics(&self) -> Result<Vec<f32>> {
        pollster::block_on(self.statistics_by(Wait::Block))
    }

    /// As [`Trainer::statistics`], but async instead of blocking.
    ///
    /// # Errors
    /// As [`Trainer::statistics`].
    pub async fn statistics_async(&self) -> Result<Vec<f32>> {
        self.statistics_by(Wait::Yield).await
    }

    async fn statistics_by(&self, wait: Wait) -> Result<Vec<f32>> {
        if self.model.running_statistics().is_empty() {
            return Ok(Vec::new());
        }
        let mut flat = self.engine.statistics(wait).await?;
        flat.truncate(self.model.statistics_len());
        Ok(flat)
    }

    /// Replaces the running statistics.
    ///
    /// # Errors
    /// Those of [`Model::check_statistics`]; [`Error::Device`].
    pub fn set_statistics(&mut self, flat: &[f32]) -> Result<()> {
        self.model.check_statistics(flat)?;
        self.engine.set_statistics(flat)
    }

    /// Sets the limits of the following steps: their numbers, for what is limited stays.
    ///
    /// # Errors
    /// As [`State::set_limits`](crate::State::set_limits).
    pub fn set_limits(&mut self, limits: Limits) -> Result<()> {
        self.engine.set_limits(limits)?;
        self.optimizer.limits = limits;
        Ok(())
    }

    /// Says of the next step of ObGD what the environment does.
    ///
    /// # Errors
    /// As [`State::set_transition`](crate::State::set_transition).
    pub fn set_transition(&mut self, transition: Transition) -> Result<()> {
        self.engine.set_transition(transition)?;
        self.optimizer = self.optimizer.transition(transition);
        Ok(())
    }

    /// Sets how the learning rate changes over the following steps; their count goes on.
    ///
    /// # Errors
    /// All of [`Schedule::validate`]; [`Error::Value`] where the rate is none now. The schedule is then as before.
    pub fn set_schedule(&mut self, schedule: Option<Schedule>) -> Result<()> {
        schedule.as_ref().map_or(Ok(()), Schedule::validate)?;
        let before = std::mem::replace(&mut self.schedule, schedule);
        let set = self.engine.set_learning_rate(self.learning_rate());
        if set.is_err() {
            self.schedule = before;
        }
        set
    }

    /// Sets the learning rate of the following steps, which a schedule multiplies.
    ///
    /// # Errors
    /// [`Error::Value`] for NaN, infinity or a negative rate.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        self.engine.set_learning_rate(learning_rate)?;
        self.optimizer.learning_rate = learning_rate;
        Ok(())
    }

    /// Blocks until all steps are done: for timing.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn wait(&self) -> Result<()> {
        self.engine.wait()
    }
}
