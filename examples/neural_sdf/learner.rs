//! A small network that learns a signed distance, on the application's device.

use hesscale::model::{Init, Targets};
use hesscale::wgsl::Options;
use hesscale::{
    Activation, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, Result, State, wgpu,
};

/// Points in a batch, and points that the error is measured at.
const BATCH: usize = 1024;

/// Positions to a distance.
pub(crate) fn model() -> Result<Model> {
    let hidden = Model::builder([3]).dense(24).act(Activation::Silu).dense(24).act(Activation::Silu);
    hidden.dense(1).loss(Loss::mse())
}

/// The analytic distance for a fragment shader.
pub(crate) const SHAPE: &str = include_str!("shape.wgsl");

/// The same.
pub(crate) fn distance([x, y, z]: [f32; 3]) -> f32 {
    let ring = (x.hypot(z) - 0.62).hypot(y) - 0.2;
    ring.min(x.hypot(y).hypot(z) - 0.28)
}

/// A network in training.
#[derive(Debug)]
pub(crate) struct Learner {
    state: State,
    training: Plan,
    test: Plan,
    random: fastrand::Rng,
    tested: Vec<f32>,
}

impl Learner {
    pub(crate) fn new(context: &Context) -> Result<Learner> {
        let model = model()?;
        let state = State::new(context, &model, Some(Optimizer::adam(0.01)))?;
        let parameters = model.init(Init::Auto, 7)?;
        state.write_parameters(&parameters)?;
        let training =
            Plan::new(context, &model, &state, BATCH, PlanOptions::training(Mode::None).fused_update())?;
        let test = Plan::new(context, &model, &state, BATCH, PlanOptions::inference())?;
        let mut random = fastrand::Rng::with_seed(3);
        let (points, tested) = points(&mut random);
        test.write_input(&points)?;
        Ok(Learner { state, training, test, random, tested })
    }

    /// What declares `distance` for a fragment shader: the network as a function, and what calls it.
    pub(crate) fn distance(&self) -> Result<String> {
        let network = self.state.model().to_wgsl(&Options::storage(0, 0))?;
        Ok(network
            + "\nfn distance(p: vec3<f32>) -> f32 {\n    return network(array(p.x, p.y, p.z))[0];\n}\n")
    }

    /// What it reads, as training has left it.
    pub(crate) fn parameters(&self) -> wgpu::BindingResource<'_> {
        self.state.parameters().binding()
    }

    /// Trains for so many steps, each on points of its own.
    pub(crate) fn train(&mut self, steps: u32) -> Result<()> {
        let context = self.state.context();
        for _ in 0..steps {
            let (points, distances) = points(&mut self.random);
            self.training.write_input(&points)?;
            self.training.write_targets(Targets::Values(&distances))?;
            let mut encoder = context.device().create_command_encoder(&Default::default());
            self.training.record_step(&mut encoder, Pass::FULL)?;
            context.queue().submit([encoder.finish()]);
        }
        context.wait()
    }

    /// The mean error of the distance, at points that it is not trained at.
    pub(crate) fn error(&self) -> Result<f32> {
        let context = self.state.context();
        let mut encoder = context.device().create_command_encoder(&Default::default());
        self.test.record_forward(&mut encoder);
        context.queue().submit([encoder.finish()]);
        let read = context.read_blocking(&[self.test.logits()])?;
        let errors = read[0].iter().zip(&self.tested).map(|(got, want)| (got - want).abs());
        Ok(errors.sum::<f32>() / BATCH as f32)
    }
}

/// Random points of the cube from −1 to 1, with their distances.
fn points(random: &mut fastrand::Rng) -> (Vec<f32>, Vec<f32>) {
    let mut anywhere = || [(); 3].map(|()| 2.0 * random.f32() - 1.0);
    // Three of four near the surface.
    let mut point = |index: usize| {
        std::iter::repeat_with(&mut anywhere)
            .find(|point| index.is_multiple_of(4) || distance(*point).abs() < 0.15)
    };
    let points: Vec<[f32; 3]> = (0..BATCH).filter_map(&mut point).collect();
    let distances = points.iter().map(|point| distance(*point)).collect();
    (points.concat(), distances)
}
