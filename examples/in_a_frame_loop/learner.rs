//! The network, trained a few kernels at a time between the application's frames, on its device and queue.

use crate::pace::Pace;
use crate::picture::Picture;
use crate::screen::{Screen, entry};
use hesscale::model::{Init, Role};
use hesscale::{
    Activation, Context, Loss, Model, Optimizer, Pass, Pieces, Plan, PlanOptions, Result, State, wgpu,
};
use std::time::Duration;

/// Pixels in a batch.
const BATCH: usize = 1024;

/// Steps between pictures: a picture evaluates every pixel, which takes as long as a few steps.
const STEPS_A_PICTURE: u32 = 20;

/// Scale of the random frequencies of the first layer's sines, in radians from the picture's centre to its edge.
const FREQUENCY: f64 = 16.0;

/// Pixel coordinates to colours.
pub(crate) fn model() -> Result<Model> {
    let waves = Model::builder([2]).dense(96).act(Activation::Sin { frequency: 1.0 });
    let hidden = waves.dense(64).act(Activation::Gelu).dense(64).act(Activation::Gelu);
    hidden.dense(3).loss(Loss::mse())
}

fn parameters(model: &Model) -> Result<Vec<f32>> {
    let mut parameters = model.init(Init::Auto, 7)?;
    let mut random = fastrand::Rng::with_seed(7);
    // The first layer's: normally distributed frequencies, uniform phases.
    for p in model.parameters().iter().take(2) {
        parameters[p.range()].fill_with(|| match p.role {
            Role::Weight => {
                let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
                (FREQUENCY * radius * (std::f64::consts::TAU * random.f64()).cos()) as f32
            }
            Role::Bias => (std::f64::consts::TAU * random.f64()) as f32,
        });
    }
    Ok(parameters)
}

/// Work that may be spread over several frames.
#[derive(Debug, Clone, Copy)]
enum Task {
    Step(Pieces),
    Picture(Pieces),
}

/// A network in training.
#[derive(Debug)]
pub(crate) struct Learner {
    training: Plan,
    /// An inference plan with the same parameters, for every pixel.
    picture: Plan,
    sampler: wgpu::ComputePipeline,
    samples: wgpu::BindGroup,
    /// The task that the last frame left unfinished.
    task: Option<Task>,
    steps: u32,
    shows: Option<u32>,
    pace: Pace,
}

impl Learner {
    /// Everything slow, mainly compiling shaders, happens here, before the first frame.
    pub(crate) fn new(
        screen: &Screen,
        context: &Context,
        photo: &Picture,
        optimizer: Optimizer,
        budget: Duration,
    ) -> Result<Learner> {
        let model = model()?;
        let state = State::new(context, &model, Some(optimizer))?;
        state.write_parameters(&parameters(&model)?)?;
        let storage = |floats: usize| {
            screen.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("samples"),
                size: 4 * floats as u64,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        // The application's buffers: its own shader fills them.
        let (random, coordinates, colours) = (storage(BATCH), storage(2 * BATCH), storage(3 * BATCH));
        let options = PlanOptions::training(optimizer.rule.mode()).input(&coordinates).targets(&colours);
        let training = Plan::new(context, &model, &state, BATCH, options)?;
        let pixels = photo.rgb.len() / 3;
        let picture = Plan::new(context, &model, &state, pixels, PlanOptions::inference())?;
        picture.write_input(&photo.coordinates())?;
        let sampler = sampler(&screen.device);
        let samples = screen.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("samples"),
            layout: &sampler.get_bind_group_layout(0),
            entries: &[
                entry(0, wgpu::BindingResource::TextureView(&screen.photo)),
                entry(1, random.as_entire_binding()),
                entry(2, coordinates.as_entire_binding()),
                entry(3, colours.as_entire_binding()),
            ],
        });
        let mut seeds = fastrand::Rng::with_seed(11);
        let seeds: Vec<u8> = (0..BATCH).flat_map(|_| seeds.u32(..).to_le_bytes()).collect();
        screen.queue.write_buffer(&random, 0, &seeds);
        let pace = Pace::new(budget, training.cost(Pieces::step(Pass::FULL))?);
        Ok(Learner { training, picture, sampler, samples, task: None, steps: 0, shows: None, pace })
    }

    /// The buffer to draw from.
    pub(crate) fn colours(&self) -> &wgpu::Buffer {
        self.picture.logits().buffer()
    }

    /// Steps that have been fully recorded.
    pub(crate) fn steps(&self) -> u32 {
        self.steps
    }

    /// The number of steps after which the current picture was computed.
    pub(crate) fn shows(&self) -> Option<u32> {
        self.shows
    }

    /// Records as much as fits into a frame: steps, up to `stop` in total, and pictures, each from the parameters of a single step.
    /// Returns whether the work filled the frame.
    pub(crate) fn record(&mut self, encoder: &mut wgpu::CommandEncoder, stop: u32) -> Result<bool> {
        let mut left = self.pace.work();
        while left > 0 {
            let Some(task) = self.task.take().or_else(|| self.next(encoder, stop)) else { return Ok(false) };
            let (plan, mut pieces) = match task {
                Task::Step(pieces) => (&self.training, pieces),
                Task::Picture(pieces) => (&self.picture, pieces),
            };
            let piece = plan.record_piece(encoder, &mut pieces, left)?;
            left = left.saturating_sub(piece.cost);
            match (task, piece.last) {
                (Task::Step(_), true) => self.steps += 1,
                (Task::Picture(_), true) => self.shows = Some(self.steps),
                // The frame is full.
                (Task::Step(_), false) => (self.task, left) = (Some(Task::Step(pieces)), 0),
                (Task::Picture(_), false) => (self.task, left) = (Some(Task::Picture(pieces)), 0),
            }
        }
        Ok(true)
    }

    /// The next task, if none is unfinished.
    fn next(&self, encoder: &mut wgpu::CommandEncoder, stop: u32) -> Option<Task> {
        let behind = self.shows.map(|shows| self.steps - shows);
        match behind {
            Some(0) if self.steps >= stop => None,
            Some(steps) if steps < STEPS_A_PICTURE && self.steps < stop => {
                self.record_samples(encoder);
                Some(Task::Step(Pieces::step(Pass::FULL)))
            }
            _ => Some(Task::Picture(Pieces::forward())),
        }
    }

    /// Reports the time of a frame that was filled with work.
    pub(crate) fn took(&mut self, time: Duration) {
        self.pace.took(time);
    }

    fn record_samples(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.sampler);
        pass.set_bind_group(0, &self.samples, &[]);
        pass.dispatch_workgroups(BATCH.div_ceil(64) as u32, 1, 1);
    }
}

fn sampler(device: &wgpu::Device) -> wgpu::ComputePipeline {
    let module = device.create_shader_module(wgpu::include_wgsl!("sample.wgsl"));
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("sample"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    })
}
