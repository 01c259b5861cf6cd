//! Training on a GPU.

use super::engine::{Act, Answer, Engine, Task, Wait, noise};
use super::{Between, Trainer, TrainerOptions};
use crate::Result;
use crate::gpu::{Buffer, Context, Tensor};
use crate::memory::{product, room};
use crate::model::{Limits, Mode, Model, Noise, Optimizer, OptimizerState, Transition, batch_of};
use crate::plan::{Pass, Plan, PlanOptions, State, StateBuffers, Whole};
use crate::shader::Dtype;

impl Trainer {
    /// A trainer on the context's GPU, parameters drawn by the options' seed.
    ///
    /// # Errors
    /// As [`State::with_groups`]; [`Error::Value`](crate::Error::Value) for a `curvature_every` of 0, and for a schedule's numbers;
    /// [`Error::NotPlanned`](crate::Error::NotPlanned) for a mode without the diagonal that the optimiser reads;
    /// [`Error::Feature`](crate::Error::Feature) for a storage that the device does not have.
    pub fn new(
        context: &Context,
        model: &Model,
        optimizer: Optimizer,
        options: TrainerOptions,
    ) -> Result<Trainer> {
        let gpu = Gpu::new(context, model, optimizer, &options)?;
        Trainer::with(model, optimizer, &options, Box::new(gpu))
    }
}

/// The state and plans on a GPU, made on demand.
#[derive(Debug)]
struct Gpu {
    context: Context,
    state: State,
    storage: Dtype,
    training: Plans,
    inference: Plans,
    loss: Option<Tensor>,
    /// Where running statistics are kept during a pass that leaves them as they are.
    kept: Option<Tensor>,
    /// Where rows of gradients and of diagonals wait to be read.
    rows: Vec<Buffer>,
}

/// Bytes of all rows of one kind.
const ROWS: u64 = 1 << 26;

impl Gpu {
    fn new(context: &Context, model: &Model, optimizer: Optimizer, options: &TrainerOptions) -> Result<Gpu> {
        let TrainerOptions { storage, init, seed, .. } = *options;
        PlanOptions::inference().storage(storage).check_features(context)?;
        let buffers = StateBuffers::default();
        let state = State::with_groups(context, model, Some(optimizer), &options.groups, buffers)?;
        state.write_parameters(&model.init(init, seed)?)?;
        state.set_noise(noise(seed))?;
        let (training, inference) = (Plans::default(), Plans::default());
        let (loss, kept, rows) = (None, None, Vec::new());
        Ok(Gpu { context: context.clone(), state, storage, training, inference, loss, kept, rows })
    }

    /// Submits what `record` records for the task's plan, without waiting for it.
    fn submit(
        &mut self,
        task: &Task<'_>,
        record: impl FnOnce(&Plan, &mut wgpu::CommandEncoder, Pass, &State) -> Result<()>,
    ) -> Result<()> {
        let mut options = PlanOptions::training(task.mode).storage(self.storage);
        match task.part {
            Some(part) => {
                options = options.accumulate(1.0);
                // One plan for all sets where it makes no difference.
                let share = if self.storage == Dtype::F16 { part.share } else { 1.0 };
                let samples = if task.mode == Mode::Fisher { part.samples } else { 0 };
                options.part_of = Some(Whole { share, samples });
            }
            None => {
                options = options.fused_update();
                options.lazy_curvature = task.lazy;
            }
        }
        options.sample_weights = task.weights.is_some();
        let plan = self.training.of(&self.state, task.batch, options)?;
        plan.write_input(task.inputs)?;
        plan.write_targets(task.targets)?;
        task.weights.map_or(Ok(()), |weights| plan.write_sample_weights(weights))?;
        let adds = task.part.is_some_and(|part| !part.first);
        let pass = if task.curvature { Pass::FULL } else { Pass::FULL.without_curvature() };
        let pass = if adds { pass.accumulating() } else { pass };
        let mut encoder = encoder(&self.context);
        record(plan, &mut encoder, pass, &self.state)?;
        let loss = plan.loss()?.clone();
        submit(&self.context, encoder)?;
        self.loss = Some(loss);
        self.context.health()
    }
}

impl Engine for Gpu {
    fn describe(&self) -> String {
        self.context.describe()
    }

    fn pass(&mut self, task: &Task<'_>) -> Result<()> {
        if task.update {
            return self.submit(task, |plan, encoder, pass, _| plan.record_step(encoder, pass));
        }
        if self.state.model().running_statistics().is_empty() {
            return self.submit(task, |plan, encoder, pass, _| plan.record_gradient(encoder, pass));
        }
        if self.kept.is_none() {
            let len = self.state.statistics().len();
            let buffer = self.context.storage("kept statistics", len)?;
            self.kept = Some(Tensor::new("kept statistics", &buffer, 0, &[len]));
        }
        let kept = self.kept.clone().expect("it was made above");
        self.submit(task, |plan, encoder, pass, state| {
            let len = kept.len();
            state.statistics().record_copy(encoder, &kept, len);
            plan.record_gradient(encoder, pass)?;
            kept.record_copy(encoder, state.statistics(), len);
            Ok(())
        })
    }

    /// As many f32 as lose nothing to speak of in a sum.
    fn most_parts(&self) -> usize {
        64
    }

    fn step_with(&mut self, task: &Task<'_>, act: Act<'_>) -> Result<()> {
        let curvature = task.curvature && task.mode.has_diagonal();
        self.submit(task, |plan, encoder, pass, state| {
            plan.record_gradient(encoder, pass)?;
            act(Between::Gpu { encoder, state, plan, curvature })?;
            plan.record_update(encoder, pass)
        })
    }

    fn state(&self) -> Option<&State> {
        Some(&self.state)
    }

    fn results(&self, diagonal: bool) -> Result<(Vec<f32>, Vec<f32>)> {
        let diagonal = diagonal.then(|| self.state.diagonal());
        let tensors: Vec<&Tensor> = [self.state.gradient()].into_iter().chain(diagonal).collect();
        let mut read = self.context.read_blocking(&tensors)?.into_iter();
        Ok((read.next().unwrap_or_default(), read.next().unwrap_or_default()))
    }

    fn most_each(&self) -> usize {
        let (row, limits) = (4 * self.state.gradient().len() as u64, self.context.device().limits());
        // Gradients and diagonals are read back together.
        let most = ROWS.min(limits.max_storage_buffer_binding_size).min(limits.max_buffer_size / 2);
        (most / row).clamp(1, 64) as usize
    }

    /// Waits once for all, which is what takes long.
    fn each(&mut self, tasks: &[Task<'_>], diagonal: bool) -> Result<(Vec<f32>, Vec<f32>)> {
        if let [task] = tasks {
            self.pass(task)?;
            return self.results(diagonal);
        }
        let (kinds, width) = (1 + usize::from(diagonal), self.state.gradient().len());
        while self.rows.len() < kinds {
            self.rows.push(self.context.storage("gradients of samples", self.most_each() * width)?);
        }
        let rows = self.rows[..kinds].to_vec();
        let of = |buffer: &Buffer, first: usize, count: usize| {
            Tensor::new("gradients of samples", buffer, first * width, &[count, width])
        };
        for (index, task) in tasks.iter().enumerate() {
            self.submit(task, |plan, encoder, pass, state| {
                plan.record_gradient(encoder, pass)?;
                for (from, to) in [state.gradient(), state.diagonal()].into_iter().zip(&rows) {
                    from.record_copy(encoder, &of(to, index, 1), width);
                }
                Ok(())
            })?;
        }
        let all: Vec<Tensor> = rows.iter().map(|buffer| of(buffer, 0, tasks.len())).collect();
        let mut read = self.context.read_blocking(&all.iter().collect::<Vec<_>>())?.into_iter();
        Ok((read.next().unwrap_or_default(), read.next().unwrap_or_default()))
    }

    fn loss(&self, wait: Wait) -> Answer<'_, Option<f32>> {
        Box::pin(async move {
            let Some(loss) = &self.loss else { return Ok(None) };
            let tensors: Vec<&Tensor> = [loss].into_iter().chain(self.state.divergence()).collect();
            let read = read_all(&self.context, &tensors, wait).await?;
            read[1..].iter().try_for_each(|word| State::check_divergence(word[0]))?;
            Ok(Some(read[0][0]))
        })
    }

    /// The rest of the last batch is padding.
    fn predict<'a>(&'a mut self, inputs: &'a [f32], batch: usize, wait: Wait) -> Answer<'a, Vec<f32>> {
        Box::pin(async move {
            let model = self.state.model();
            let samples = batch_of("input", inputs.len(), model.inputs())?;
            let options = PlanOptions::inference().storage(self.storage);
            let plan = self.inference.of(&self.state, batch, options)?;
            let mut outputs = room("outputs", product([samples, model.outputs()]))?;
            for chunk in inputs.chunks(batch * model.inputs()) {
                let mut padded = chunk.to_vec();
                padded.resize(batch * model.inputs(), 0.0);
                plan.write_input(&padded)?;
                let mut encoder = encoder(&self.context);
                plan.record_forward(&mut encoder);
                submit(&self.context, encoder)?;
                outputs.extend(read(&self.context, plan.logits(), wait).await?);
            }
            outputs.truncate(samples * model.outputs());
            Ok(outputs)
        })
    }

    fn parameters(&self, wait: Wait) -> Answer<'_, Vec<f32>> {
        Box::pin(read(&self.context, self.state.parameters(), wait))
    }

    fn set_parameters(&mut self, flat: &[f32]) -> Result<()> {
        self.state.write_parameters(flat)
    }

    fn statistics(&self, wait: Wait) -> Answer<'_, Vec<f32>> {
        Box::pin(read(&self.context, self.state.statistics(), wait))
    }

    fn set_statistics(&mut self, flat: &[f32]) -> Result<()> {
        self.state.write_statistics(flat)
    }

    fn average(&self, wait: Wait) -> Answer<'_, Option<Vec<f32>>> {
        Box::pin(async move {
            let Some(average) = self.state.average() else { return Ok(None) };
            Ok(Some(read(&self.context, average, wait).await?))
        })
    }

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<()> {
        self.state.set_learning_rate(learning_rate)
    }

    fn set_limits(&mut self, limits: Limits) -> Result<()> {
        self.state.set_limits(limits)
    }

    fn set_transition(&mut self, transition: Transition) -> Result<()> {
        self.state.set_transition(transition)
    }

    fn memory(&self) -> Result<(OptimizerState<f32>, Noise)> {
        let memory = self.state.read_memory()?;
        Ok((memory, self.noise()?))
    }

    fn noise(&self) -> Result<Noise> {
        let words = self.context.read_blocking(&[self.state.noise_words()])?.swap_remove(0);
        Ok(Noise { seed: words[0].to_bits(), step: words[1].to_bits() })
    }

    fn set_noise(&mut self, noise: Noise) -> Result<()> {
        self.state.set_noise(noise)
    }

    fn restore(&mut self, memory: OptimizerState<f32>, noise: Noise) -> Result<()> {
        self.loss = None;
        self.state.set_noise(noise)?;
        self.state.write_memory(&memory)
    }

    fn wait(&self) -> Result<()> {
        self.context.wait()
    }
}

fn encoder(context: &Context) -> wgpu::CommandEncoder {
    context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

fn submit(context: &Context, encoder: wgpu::CommandEncoder) -> Result<()> {
    context.guarded(|| context.queue().submit([encoder.finish()])).map(drop)
}

async fn read(context: &Context, tensor: &Tensor, wait: Wait) -> Result<Vec<f32>> {
    Ok(read_all(context, &[tensor], wait).await?.swap_remove(0))
}

async fn read_all(context: &Context, tensors: &[&Tensor], wait: Wait) -> Result<Vec<Vec<f32>>> {
    match wait {
        Wait::Block => context.read_blocking(tensors),
        Wait::Yield => context.read_all(tensors).await,
    }
}

/// Plans by batch size, with and without sample weights, of a whole and of its parts, the one used last at the end. A few, since a data
/// set has one batch size and one remainder.
#[derive(Debug, Default)]
struct Plans(Vec<Plan>);

impl Plans {
    const MOST: usize = 4;

    /// The plan for `batch` among those kept, or a new one in the place of the one used longest ago.
    fn of(&mut self, state: &State, batch: usize, options: PlanOptions) -> Result<&Plan> {
        let kind = |options: &PlanOptions| (options.sample_weights, options.part_of);
        let fits = |plan: &Plan| plan.batch() == batch && kind(&plan.options) == kind(&options);
        let plan = match self.0.iter().position(fits) {
            Some(index) => self.0.remove(index),
            None => {
                if self.0.len() == Plans::MOST {
                    self.0.remove(0);
                }
                Plan::new(state.context(), state.model(), state, batch, options)?
            }
        };
        self.0.push(plan);
        Ok(&self.0[self.0.len() - 1])
    }
}
