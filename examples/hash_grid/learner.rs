//! A small network behind the grid, trained together with it on the application's device.

use crate::grid::{self, FEATURES, Grid, TableRule};
use crate::picture::Picture;
use crate::screen::Screen;
use hesscale::model::Init;
use hesscale::{
    Activation, At, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, Result, State, wgpu,
};

/// Points in a batch.
const BATCH: usize = 4096;

/// Features to colours. The loss is a sum, so that the table's gradients, sums of a few points' each, do not shrink with the batch.
fn model() -> Result<Model> {
    let hidden = Model::builder([FEATURES]).dense(64).act(Activation::Relu).dense(64).act(Activation::Relu);
    hidden.dense(3).loss(Loss::mse().sum())
}

#[derive(Debug)]
pub(crate) struct Learner {
    training: Plan,
    /// An inference plan with the same parameters, for every pixel.
    picture: Plan,
    grid: Grid,
    sampler: wgpu::ComputePipeline,
    sampled: wgpu::BindGroup,
    encodes_batch: wgpu::BindGroup,
    encodes_picture: wgpu::BindGroup,
    learns: [wgpu::BindGroup; 2],
}

impl Learner {
    pub(crate) fn new(
        screen: &Screen,
        context: &Context,
        photo: &Picture,
        (optimizer, rule): (Optimizer, TableRule),
    ) -> Result<Learner> {
        let Screen { device, queue, .. } = screen;
        let model = model()?;
        let state = State::new(context, &model, Some(optimizer))?;
        state.write_parameters(&model.init(Init::Auto, 7)?)?;
        let buffer = |name, floats| grid::storage(device, name, floats);
        let pixels = photo.rgb.len() / 3;
        // The application's buffers: its own shaders fill them.
        let (random, points, colours) =
            (buffer("random", BATCH), buffer("points", 2 * BATCH), buffer("colours", 3 * BATCH));
        let (batch, all) = (buffer("features", FEATURES * BATCH), buffer("features", FEATURES * pixels));
        let centres = buffer("pixels", 2 * pixels);
        let options = PlanOptions::training(Mode::HesScale).fused_update().signal(At::Input);
        let training = Plan::new(context, &model, &state, BATCH, options.input(&batch).targets(&colours))?;
        let picture = Plan::new(context, &model, &state, pixels, PlanOptions::inference().input(&all))?;
        let grid = Grid::new(device, queue, rule);
        let sampler = grid::pipeline(device, "sample", include_str!("../in_a_frame_loop/sample.wgsl").into());
        let photograph = wgpu::BindingResource::TextureView(&screen.photo);
        let [numbers, places, targets] = [&random, &points, &colours].map(wgpu::Buffer::as_entire_binding);
        let sampled = grid::bind(device, &sampler, [photograph, numbers, places, targets]);
        let (g, h) = (training.signal_gradient(At::Input)?, training.signal_diagonal(At::Input)?);
        let learns = grid.learns(device, &points, g, h);
        let encodes_batch = grid.encodes(device, &points, &batch);
        let encodes_picture = grid.encodes(device, &centres, &all);
        let mut seeds = fastrand::Rng::with_seed(11);
        let seeds: Vec<u8> = (0..BATCH).flat_map(|_| seeds.u32(..).to_le_bytes()).collect();
        queue.write_buffer(&random, 0, &seeds);
        let centre: Vec<u8> = photo.coordinates().into_iter().flat_map(f32::to_le_bytes).collect();
        queue.write_buffer(&centres, 0, &centre);
        Ok(Learner { training, picture, grid, sampler, sampled, encodes_batch, encodes_picture, learns })
    }

    /// The buffer to draw from.
    pub(crate) fn colours(&self) -> &wgpu::Buffer {
        self.picture.logits().buffer()
    }

    /// Records a training step of network and table: sample, encode, step, scatter, update.
    pub(crate) fn record_step(&self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.sampler);
            pass.set_bind_group(0, &self.sampled, &[]);
            pass.dispatch_workgroups(BATCH.div_ceil(64) as u32, 1, 1);
        }
        self.grid.record_encode(encoder, &self.encodes_batch, BATCH);
        self.training.record_step(encoder, Pass::FULL)?;
        self.grid.record_update(encoder, &self.learns, BATCH);
        Ok(())
    }

    /// Records the picture as it is learnt so far.
    pub(crate) fn record_picture(&self, encoder: &mut wgpu::CommandEncoder) {
        self.grid.record_encode(encoder, &self.encodes_picture, self.picture.batch());
        self.picture.record_forward(encoder);
    }
}
