//! Batches in, a trained network out.

use super::Dataset;
use super::checkpoint::{Checkpoint, Settings};
use super::host::Host;
use crate::cpu::Threads;
use crate::gpu::{Context, Request, Tensor};
use crate::model::memory::{product, room};
use crate::model::{Init, Mode, Model, Noise, Optimizer, Targets};
use crate::ops::loss::HostLoss;
use crate::plan::{Pass, Plan, PlanOptions, State};
use crate::shader::Dtype;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Options of a [`Trainer`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrainerOptions {
    /// Mode of the backward pass; by default the one the optimiser reads.
    pub mode: Option<Mode>,
    /// Curvature is computed on every k-th step, starting with the first; the other steps are plain backprop.
    pub curvature_every: usize,
    /// How weights are initialised.
    pub init: Init,
    /// Seed of the initial weights and of dropout.
    pub seed: u64,
    /// Threads of a trainer on the CPU; by default [`Threads::default`].
    pub threads: Option<usize>,
    /// What activations and signals are stored as on a GPU: [`PlanOptions::storage`].
    pub storage: Dtype,
}

impl Default for TrainerOptions {
    fn default() -> TrainerOptions {
        TrainerOptions {
            mode: None,
            curvature_every: 1,
            init: Init::default(),
            seed: 0,
            threads: None,
            storage: Dtype::default(),
        }
    }
}

impl TrainerOptions {
    /// Mode of the backward pass.
    #[must_use]
    pub fn mode(self, mode: Mode) -> TrainerOptions {
        TrainerOptions { mode: Some(mode), ..self }
    }

    /// Curvature on every k-th step.
    #[must_use]
    pub fn curvature_every(self, curvature_every: usize) -> TrainerOptions {
        TrainerOptions { curvature_every, ..self }
    }

    /// How weights are initialised.
    #[must_use]
    pub fn init(self, init: Init) -> TrainerOptions {
        TrainerOptions { init, ..self }
    }

    /// Seed of the initial weights and of dropout.
    #[must_use]
    pub fn seed(self, seed: u64) -> TrainerOptions {
        TrainerOptions { seed, ..self }
    }

    /// Threads of a trainer on the CPU.
    #[must_use]
    pub fn threads(self, threads: usize) -> TrainerOptions {
        TrainerOptions { threads: Some(threads), ..self }
    }

    /// Storage type of activations and signals on a GPU.
    #[must_use]
    pub fn storage(self, storage: Dtype) -> TrainerOptions {
        TrainerOptions { storage, ..self }
    }
}

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
    model: Model,
    mode: Mode,
    curvature_every: usize,
    /// With the current learning rate.
    optimizer: Optimizer,
    seed: u64,
    steps: u64,
    notes: BTreeMap<String, String>,
    engine: Engine,
}

/// How good a network is on a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// The model's loss over all samples.
    pub loss: f64,
    /// Fraction of labels whose logit is the largest, without ignored ones; 0 if labels are values:
    /// [`Dataset::accuracy`].
    pub accuracy: f64,
}

#[derive(Debug)]
enum Engine {
    Gpu(Box<Gpu>),
    Host(Box<Host>),
}

#[derive(Debug)]
struct Gpu {
    context: Context,
    state: State,
    storage: Dtype,
    /// Plans by batch size, the one used last at the end. A few, since a data set has one batch size and one remainder.
    training: Vec<Plan>,
    inference: Vec<Plan>,
    /// The loss of the last step.
    loss: Option<Tensor>,
}

/// How to wait for the GPU's results.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// A future that waits this way is ready when first polled.
    Block,
    Yield,
}

impl Wait {
    async fn read(self, context: &Context, tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(self.read_all(context, &[tensor]).await?.swap_remove(0))
    }

    async fn read_all(self, context: &Context, tensors: &[&Tensor]) -> Result<Vec<Vec<f32>>> {
        match self {
            Wait::Block => context.read_blocking(tensors),
            Wait::Yield => context.read_all(tensors).await,
        }
    }
}

impl Gpu {
    /// The state of its random numbers. Waits for the GPU.
    fn noise(&self) -> Result<Noise> {
        let words = self.context.read_blocking(&[self.state.noise_words()])?.swap_remove(0);
        Ok(Noise { seed: words[0].to_bits(), step: words[1].to_bits() })
    }
}

/// A seed's random numbers, from the first one.
fn noise(seed: u64) -> Noise {
    Noise { seed: (seed ^ (seed >> 32)) as u32, step: 0 }
}

/// Plans kept at a time.
const PLANS: usize = 4;

impl Trainer {
    /// A trainer on the context's GPU, parameters drawn by the options' seed.
    ///
    /// # Errors
    /// As [`State::new`]; [`Error::Value`] for a `curvature_every` of 0; [`Error::NotPlanned`] for a mode without the diagonal
    /// that the optimiser reads; [`Error::Feature`] for a storage type that the device does not support.
    pub fn new(
        context: &Context,
        model: &Model,
        optimizer: Optimizer,
        options: TrainerOptions,
    ) -> Result<Trainer> {
        let TrainerOptions { storage, .. } = options;
        PlanOptions::inference().storage(storage).check_features(context)?;
        let state = State::new(context, model, Some(optimizer))?;
        state.write_parameters(&model.init(options.init, options.seed)?)?;
        state.set_noise(noise(options.seed))?;
        let (training, inference) = (Vec::new(), Vec::new());
        let gpu = Gpu { context: context.clone(), state, storage, training, inference, loss: None };
        Trainer::with(model, optimizer, &options, Engine::Gpu(Box::new(gpu)))
    }

    /// A trainer on this machine's GPU ([`Context::hardware`]), or on the CPU if there is none. An adapter named by the
    /// environment variable `HESSCALE_ADAPTER` is used in any case, even a software adapter.
    ///
    /// # Errors
    /// As [`Trainer::new`]; [`Error::NoAdapter`] for a name that no adapter has.
    pub async fn request(model: &Model, optimizer: Optimizer, options: TrainerOptions) -> Result<Trainer> {
        let adapter = std::env::var("HESSCALE_ADAPTER").ok();
        Trainer::request_with(&Request { adapter, ..Request::default() }, model, optimizer, options).await
    }

    /// The same with a context request: an adapter named there is used in any case. The device also gets the feature that the
    /// options' storage type needs.
    ///
    /// # Errors
    /// As [`Trainer::request`].
    pub async fn request_with(
        request: &Request,
        model: &Model,
        optimizer: Optimizer,
        options: TrainerOptions,
    ) -> Result<Trainer> {
        let mut request = request.clone();
        request.features |= PlanOptions::inference().storage(options.storage).required_features();
        match Context::hardware(&request).await {
            Ok(context) => Trainer::new(&context, model, optimizer, options),
            Err(Error::NoAdapter { .. }) if request.adapter.is_none() => {
                Trainer::on_cpu(model, optimizer, options)
            }
            Err(error) => Err(error),
        }
    }

    /// A trainer on the CPU. Results have the same bits every time for a given number of threads: see [`cpu`](crate::cpu).
    ///
    /// # Errors
    /// As [`Trainer::new`], except GPU errors; [`Error::ZeroSize`] for no threads; [`Error::Unsupported`] for a storage type
    /// other than f32; [`Error::Memory`].
    pub fn on_cpu(model: &Model, optimizer: Optimizer, options: TrainerOptions) -> Result<Trainer> {
        optimizer.validate()?;
        if options.storage != Dtype::F32 {
            let (layer, kind) = ("trainer".into(), "storage in f16 on the processor".into());
            return Err(Error::Unsupported { layer, kind });
        }
        let parameters = model.init(options.init, options.seed)?;
        let threads = options.threads.map_or_else(|| Ok(Threads::default()), Threads::new)?;
        let host = Host::new(model, optimizer, parameters, noise(options.seed), threads)?;
        Trainer::with(model, optimizer, &options, Engine::Host(Box::new(host)))
    }

    fn with(
        model: &Model,
        optimizer: Optimizer,
        options: &TrainerOptions,
        engine: Engine,
    ) -> Result<Trainer> {
        if options.curvature_every == 0 {
            let (place, needed) = ("trainer".into(), "at least 1");
            return Err(Error::Value { place, name: "curvature_every", value: 0.0, needed });
        }
        let mode = options.mode.unwrap_or(optimizer.rule.mode());
        model.check_mode(mode)?;
        if optimizer.rule.mode().has_diagonal() && !mode.has_diagonal() {
            let what = format!("the diagonal that {} reads", optimizer.rule.name());
            return Err(Error::NotPlanned { what, ask: "TrainerOptions::mode, a mode with a diagonal" });
        }
        let TrainerOptions { curvature_every, seed, .. } = *options;
        let (model, notes) = (model.clone(), BTreeMap::new());
        Ok(Trainer { model, mode, curvature_every, optimizer, seed, steps: 0, notes, engine })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What it trains on: the GPU's adapter, or the CPU and the number of threads.
    #[must_use]
    pub fn device(&self) -> String {
        match &self.engine {
            Engine::Gpu(gpu) => gpu.context.describe(),
            Engine::Host(host) => match host.threads.count() {
                1 => "CPU, 1 thread".into(),
                count => format!("CPU, {count} threads"),
            },
        }
    }

    /// The optimiser, with its current learning rate.
    #[must_use]
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Steps taken, including those before a loaded checkpoint.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The seed from the options or from the loaded checkpoint. If the order of samples depends only on it and the epoch, it is
    /// the same with and without an interruption.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The user's notes in the checkpoint, by name: for example a batch size or the name of a data set.
    #[must_use]
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
    /// [`Error::Length`] and the targets' errors; [`Error::Device`]. Nothing changes on an error.
    pub fn step(&mut self, inputs: &[f32], targets: Targets<'_>) -> Result<()> {
        let curvature = self.steps.is_multiple_of(self.curvature_every as u64);
        self.pass(inputs, targets, curvature, true)?;
        self.steps = self.steps.saturating_add(1);
        Ok(())
    }

    /// Gradient and, in a mode that has one, diagonal on a batch, in the flat layout; the parameters stay as they are.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn gradient(&mut self, inputs: &[f32], targets: Targets<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
        self.pass(inputs, targets, true, false)?;
        let (mut gradient, mut diagonal) = match &self.engine {
            Engine::Host(host) => host.results(),
            Engine::Gpu(gpu) => {
                let mut read = gpu.context.read_blocking(&[gpu.state.gradient(), gpu.state.diagonal()])?;
                let diagonal = read.pop().unwrap_or_default();
                (read.pop().unwrap_or_default(), diagonal)
            }
        };
        gradient.truncate(self.model.flat_len());
        diagonal.truncate(if self.mode.has_diagonal() { self.model.flat_len() } else { 0 });
        Ok((gradient, diagonal))
    }

    fn pass(&mut self, inputs: &[f32], targets: Targets<'_>, curvature: bool, update: bool) -> Result<()> {
        let batch = batch_of(&self.model, inputs)?;
        self.model.check_targets(batch, targets)?;
        match &mut self.engine {
            Engine::Host(host) => {
                host.gradient(&self.model, self.mode, curvature, batch, inputs, targets)?;
                if update { host.update(curvature) } else { Ok(()) }
            }
            Engine::Gpu(gpu) => {
                let mut options = PlanOptions::training(self.mode).storage(gpu.storage).fused_update();
                options.lazy_curvature = self.curvature_every > 1;
                let plan = plan(&mut gpu.training, &gpu.context, &self.model, &gpu.state, batch, options)?;
                plan.write_input(inputs)?;
                plan.write_targets(targets)?;
                let pass = if curvature { Pass::FULL } else { Pass::FULL.without_curvature() };
                let mut encoder =
                    gpu.context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                match update {
                    true => plan.record_step(&mut encoder, pass)?,
                    false => plan.record_gradient(&mut encoder, pass)?,
                }
                gpu.context.guarded(|| gpu.context.queue().submit([encoder.finish()]))?;
                gpu.loss = Some(plan.loss()?.clone());
                gpu.context.health()
            }
        }
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
        let missing = || Error::NotPlanned { what: "a loss".into(), ask: "Trainer::step" };
        let loss = match &self.engine {
            Engine::Host(host) => {
                let loss = host.loss.ok_or_else(missing)?;
                host.diverged.clone().map_or(Ok(loss), Err)?
            }
            Engine::Gpu(gpu) => {
                let loss = gpu.loss.as_ref().ok_or_else(missing)?;
                let tensors: Vec<&Tensor> = [loss].into_iter().chain(gpu.state.divergence()).collect();
                let read = wait.read_all(&gpu.context, &tensors).await?;
                read[1..].iter().try_for_each(|word| State::check_divergence(word[0]))?;
                read[0][0]
            }
        };
        match loss.is_finite() {
            true => Ok(loss),
            false => Err(Error::Diverged { what: "the loss", step: Some(self.steps) }),
        }
    }

    /// The network's outputs `[N, outputs]` for `[N, inputs]`. NaN in a sample or a parameter propagates to its outputs. Waits for
    /// the GPU.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::ZeroSize`]; [`Error::Device`].
    pub fn predict(&mut self, inputs: &[f32]) -> Result<Vec<f32>> {
        pollster::block_on(self.predict_by(inputs, Wait::Block))
    }

    /// As [`Trainer::predict`], but async instead of blocking.
    ///
    /// # Errors
    /// As [`Trainer::predict`].
    pub async fn predict_async(&mut self, inputs: &[f32]) -> Result<Vec<f32>> {
        self.predict_by(inputs, Wait::Yield).await
    }

    async fn predict_by(&mut self, inputs: &[f32], wait: Wait) -> Result<Vec<f32>> {
        let samples = batch_of(&self.model, inputs)?;
        // Any number of samples, in plans of at most this size.
        self.forward(inputs, samples.min(1024), wait).await
    }

    /// Loss and accuracy over all samples of a data set, `batch` samples at a time. Waits for the
    /// GPU.
    ///
    /// # Errors
    /// [`Error::ZeroSize`] for a batch of 0; [`Error::Length`] and the targets' errors; [`Error::Diverged`] if the loss is NaN or
    /// infinite; [`Error::Device`].
    pub fn evaluate(&mut self, data: &Dataset, batch: usize) -> Result<Evaluation> {
        pollster::block_on(self.evaluate_by(data, batch, Wait::Block))
    }

    /// As [`Trainer::evaluate`], but async instead of blocking.
    ///
    /// # Errors
    /// As [`Trainer::evaluate`].
    pub async fn evaluate_async(&mut self, data: &Dataset, batch: usize) -> Result<Evaluation> {
        self.evaluate_by(data, batch, Wait::Yield).await
    }

    async fn evaluate_by(&mut self, data: &Dataset, batch: usize, wait: Wait) -> Result<Evaluation> {
        if batch == 0 {
            return Err(Error::ZeroSize { place: "batch".into(), what: "the number of samples" });
        }
        let samples = batch_of(&self.model, data.inputs())?;
        self.model.check_targets(samples, data.labels().targets())?;
        let logits = self.forward(data.inputs(), batch.min(samples), wait).await?;
        let accuracy = data.accuracy(&logits, self.model.loss().ignore_index())?;
        let mut host = HostLoss::new(self.model.loss(), self.model.output_shape());
        let loss = host.run(Mode::None, &logits, data.labels().targets(), None)?;
        match loss.is_finite() {
            true => Ok(Evaluation { loss, accuracy }),
            false => Err(Error::Diverged { what: "the loss over the data set", step: None }),
        }
    }

    /// Outputs, `batch` samples at a time; on a GPU the rest of the last batch is padding.
    async fn forward(&mut self, inputs: &[f32], batch: usize, wait: Wait) -> Result<Vec<f32>> {
        let samples = batch_of(&self.model, inputs)?;
        match &mut self.engine {
            Engine::Host(host) => {
                let mut outputs = room("outputs", product([samples, self.model.outputs()]))?;
                for chunk in inputs.chunks(batch * self.model.inputs()) {
                    outputs.extend_from_slice(host.predict(&self.model, batch, chunk)?);
                }
                Ok(outputs)
            }
            Engine::Gpu(gpu) => {
                let options = PlanOptions::inference().storage(gpu.storage);
                let plan = plan(&mut gpu.inference, &gpu.context, &self.model, &gpu.state, batch, options)?;
                let mut outputs = room("outputs", product([samples, self.model.outputs()]))?;
                for chunk in inputs.chunks(batch * self.model.inputs()) {
                    let mut padded = chunk.to_vec();
                    padded.resize(batch * self.model.inputs(), 0.0);
                    plan.write_input(&padded)?;
                    let mut encoder = gpu
                        .context
                        .device()
                        .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                    plan.record_forward(&mut encoder);
                    gpu.context.guarded(|| gpu.context.queue().submit([encoder.finish()]))?;
                    outputs.extend(wait.read(&gpu.context, plan.logits()).await?);
                }
                outputs.truncate(samples * self.model.outputs());
                Ok(outputs)
            }
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
        match &self.engine {
            Engine::Host(host) => Ok(host.parameters.clone()),
            Engine::Gpu(gpu) => {
                let mut flat = wait.read(&gpu.context, gpu.state.parameters()).await?;
                flat.truncate(self.model.flat_len());
                Ok(flat)
            }
        }
    }

    /// Replaces all parameters; the optimiser's moments stay.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::Device`].
    pub fn set_parameters(&mut self, flat: &[f32]) -> Result<()> {
        match &mut self.engine {
            Engine::Host(host) => host.set_parameters(flat),
            Engine::Gpu(gpu) => gpu.state.write_parameters(flat),
        }
    }

    /// Sets the learning rate of the following steps.
    ///
    /// # Errors
    /// [`Error::Value`] for NaN, infinity or a negative rate.
    pub fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        match &mut self.engine {
            Engine::Host(host) => host.set_learning_rate(learning_rate)?,
            Engine::Gpu(gpu) => gpu.state.set_learning_rate(learning_rate)?,
        }
        self.optimizer.learning_rate = learning_rate;
        Ok(())
    }

    /// Writes a checkpoint: parameters (as safetensors, under [`crate::model::Parameter::name`], in PyTorch's shapes), the
    /// optimiser's moments (`m.` and `v.` before the name), steps, seed, learning rate, the state of dropout's random numbers, and
    /// the notes. The write is atomic: the new file replaces the old one once it is complete and durable, and keeps its
    /// permissions. Symbolic links are followed; only regular files are replaced. Waits for the GPU.
    ///
    /// # Errors
    /// [`Error::Diverged`] if a parameter or a moment is NaN or infinite; the file is unchanged. [`Error::File`] if it cannot be
    /// written, which says whether the old file is still there; [`Error::Device`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (mut memory, noise) = match &self.engine {
            Engine::Host(host) => (host.memory.clone(), host.noise),
            Engine::Gpu(gpu) => (gpu.state.read_memory()?, gpu.noise()?),
        };
        memory.step = self.steps;
        let (parameters, notes) = (self.parameters()?, self.notes.clone());
        for (what, numbers) in
            [("a parameter", &parameters), ("a moment", &memory.m), ("a moment", &memory.v)]
        {
            if !numbers.iter().all(|x| x.is_finite()) {
                return Err(Error::Diverged { what, step: None });
            }
        }
        let (learning_rate, seed) = (self.optimizer.learning_rate, self.seed);
        let checkpoint = Checkpoint { parameters, memory, learning_rate, seed, noise, notes };
        checkpoint.write(&self.settings(), path.as_ref())
    }

    /// Checks whether [`Trainer::save`] could write a file at `path`; call it before long training. Leaves nothing behind.
    ///
    /// # Errors
    /// [`Error::File`] if the directory is missing or not writable, or if `path` is not a regular file.
    pub fn can_save(path: impl AsRef<Path>) -> Result<()> {
        Checkpoint::can_write(path.as_ref())
    }

    /// Resumes from a checkpoint, bit for bit on the same device: restores everything that [`Trainer::save`] writes, including
    /// the learning rate and the seed. The checkpoint may come from a GPU or from the CPU.
    ///
    /// # Errors
    /// [`Error::File`] for a file that is missing, truncated or damaged, and for a checkpoint of another model, update
    /// rule, weight decay, mode or `curvature_every`. Nothing changes on an error.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let Checkpoint { parameters, memory, learning_rate, seed, noise, notes } =
            Checkpoint::read(&self.settings(), path.as_ref())?;
        // First the writes that a checking context may refuse.
        self.set_parameters(&parameters)?;
        self.set_learning_rate(learning_rate)?;
        (self.steps, self.seed, self.notes) = (memory.step, seed, notes);
        match &mut self.engine {
            Engine::Host(host) => {
                (host.memory, host.noise, host.loss, host.diverged) = (memory, noise, None, None);
                Ok(())
            }
            Engine::Gpu(gpu) => {
                gpu.loss = None;
                gpu.state.set_noise(noise)?;
                gpu.state.write_memory(&memory)
            }
        }
    }

    fn settings(&self) -> Settings<'_> {
        let Trainer { model, optimizer, mode, curvature_every, .. } = self;
        Settings { model, optimizer: *optimizer, mode: *mode, curvature_every: *curvature_every }
    }

    /// Blocks until all steps are done: for timing.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn wait(&self) -> Result<()> {
        match &self.engine {
            Engine::Host(_) => Ok(()),
            Engine::Gpu(gpu) => gpu.context.wait(),
        }
    }
}

fn batch_of(model: &Model, inputs: &[f32]) -> Result<usize> {
    if inputs.is_empty() {
        return Err(Error::ZeroSize { place: "batch".into(), what: "the number of samples" });
    }
    let batch = inputs.len() / model.inputs();
    if batch * model.inputs() != inputs.len() {
        let needed = inputs.len().next_multiple_of(model.inputs());
        return Err(Error::Length { tensor: "input".into(), got: inputs.len(), needed });
    }
    Ok(batch)
}

/// The cached plan for `batch`, or a new one that replaces the least recently used.
fn plan<'a>(
    plans: &'a mut Vec<Plan>,
    context: &Context,
    model: &Model,
    state: &State,
    batch: usize,
    options: PlanOptions,
) -> Result<&'a Plan> {
    let plan = match plans.iter().position(|plan| plan.batch() == batch) {
        Some(index) => plans.remove(index),
        None => {
            if plans.len() == PLANS {
                plans.remove(0);
            }
            Plan::new(context, model, state, batch, options)?
        }
    };
    plans.push(plan);
    Ok(&plans[plans.len() - 1])
}
