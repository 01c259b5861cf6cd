//! A generative adversarial network (Goodfellow et al., 2014) of two models: a generator, which makes points of noise, and a
//! discriminator, which tells them from points of eight Gaussians on a ring. The generator has no loss of its own: its signal at the outputs
//! is the discriminator's at the input, with the targets turned round.
//!
//! `cargo run --release --example gan` prints how many of the Gaussians are met, and writes `gan.svg`. On the CPU.

#[path = "../common/files.rs"]
mod files;

use hesscale::cpu::{Executor, ExecutorOptions, Threads, update};
use hesscale::model::{Init, Noise, OptimizerState, OutputSignal, Targets};
use hesscale::{Activation, At, Loss, Mode, Model, Optimizer, Result};
use plotters::prelude::*;
use std::f32::consts::TAU;
use std::path::Path;

const PICTURE: &str = "gan.svg";
const BATCH: usize = 128;
const NOISE: usize = 4;
const STEPS: usize = 4000;
const MODES: usize = 8;
const DEVIATION: f32 = 0.05;
/// Samples that are looked at.
const SHOWN: usize = 2000;

/// One of the two networks with what trains it.
struct Player {
    executor: Executor,
    parameters: Vec<f32>,
    optimizer: Optimizer,
    memory: OptimizerState<f32>,
    threads: Threads,
}

impl Player {
    fn new(model: &Model, batch: usize, seed: u64) -> Result<Player> {
        let threads = Threads::default();
        let optimizer = Optimizer::adam(1e-3).betas(0.5, 0.9);
        let options = ExecutorOptions::for_optimizer(&optimizer).threads(threads.clone()).signal(At::Input);
        let parameters = model.init(Init::Auto, seed)?;
        let memory = OptimizerState::new(parameters.len());
        Ok(Player { executor: Executor::new(model, batch, options)?, parameters, optimizer, memory, threads })
    }

    /// By what the last backward pass left.
    fn step(&mut self) -> Result<()> {
        let (gradient, diagonal) = (self.executor.gradient(), self.executor.diagonal());
        update(&self.threads, &self.optimizer, &mut self.memory, &mut self.parameters, gradient, diagonal)
    }
}

/// Deterministic, so that a run can be repeated.
struct Source(fastrand::Rng);

impl Source {
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.0.f32()).ln()).sqrt();
        radius * (TAU * self.0.f32()).cos()
    }

    fn noise(&mut self, points: usize) -> Vec<f32> {
        (0..points * NOISE).map(|_| self.normal()).collect()
    }

    fn ring(&mut self, points: usize) -> Vec<f32> {
        let point = |_| {
            let [x, y] = centre(self.0.usize(..MODES));
            [x + DEVIATION * self.normal(), y + DEVIATION * self.normal()]
        };
        (0..points).flat_map(point).collect()
    }
}

fn centre(mode: usize) -> [f32; 2] {
    let angle = TAU * mode as f32 / MODES as f32;
    [angle.cos(), angle.sin()]
}

/// How many Gaussians have at least a fiftieth of the points within four deviations, and the share of points that are in one of them.
fn judge(points: &[f32]) -> (usize, f32) {
    let mut near = [0_usize; MODES];
    for point in points.chunks(2) {
        let within = |mode: &usize| {
            let [x, y] = centre(*mode);
            (point[0] - x).hypot(point[1] - y) < 4.0 * DEVIATION
        };
        if let Some(mode) = (0..MODES).find(within) {
            near[mode] += 1;
        }
    }
    let count = points.len() / 2;
    let met = near.iter().filter(|hits| **hits * 50 >= count).count();
    (met, near.iter().sum::<usize>() as f32 / count as f32)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    files::can_write(Path::new(PICTURE))?;
    let relu = Activation::LeakyRelu { alpha: 0.2 };
    let generator =
        Model::builder([NOISE]).dense(64).act(Activation::Relu).dense(64).act(Activation::Relu).dense(2);
    let discriminator = Model::builder([2]).dense(64).act(relu).dense(64).act(relu).dense(1);
    let mut makes = Player::new(&generator.loss(Loss::external())?, SHOWN, 1)?;
    let mut tells = Player::new(&discriminator.loss(Loss::bce_with_logits())?, 2 * BATCH, 2)?;
    let mut source = Source(fastrand::Rng::with_seed(3));
    let (still, drawn) = (Noise::default(), source.noise(SHOWN));
    let mut rows = Vec::new();
    for step in 0..=STEPS {
        if step % 1000 == 0 {
            let points = makes.executor.forward(&makes.parameters, &drawn, still)?.to_vec();
            let (met, share) = judge(&points);
            println!(
                "step {step}: {met} of {MODES} Gaussians met, {:.0} % of the points in one",
                100.0 * share
            );
            rows.push((step, points));
        }
        // The discriminator: points of the ring are 1, those of the generator 0.
        let made = makes.executor.forward(&makes.parameters, &source.noise(BATCH), still)?;
        let points = [&source.ring(BATCH), made].concat();
        let targets = [[1.0; BATCH], [0.0; BATCH]].concat();
        tells.executor.pass(Mode::None, &tells.parameters, &points, Targets::Values(&targets), still)?;
        tells.step()?;
        // The generator: its points should be 1. Only the signal at the discriminator's input is used of that pass.
        let made = makes.executor.forward(&makes.parameters, &source.noise(BATCH), still)?;
        tells.executor.pass(Mode::None, &tells.parameters, made, Targets::Values(&[1.0; BATCH]), still)?;
        let (g, _) = tells.executor.signal(At::Input)?;
        makes.executor.backward(Mode::None, &makes.parameters, OutputSignal::from(&g[..]))?;
        makes.step()?;
    }
    let shown: Vec<_> = [0, 1, STEPS / 1000].iter().map(|row| &rows[*row]).collect();
    draw(&shown, &source.ring(SHOWN))
}

/// The points at some steps, over those of the ring.
fn draw(rows: &[&(usize, Vec<f32>)], ring: &[f32]) -> std::result::Result<(), Box<dyn std::error::Error>> {
    const SIDE: u32 = 300;
    let root = SVGBackend::new(PICTURE, (SIDE * rows.len() as u32, SIDE)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (step, points)) in root.split_evenly((1, rows.len())).iter().zip(rows) {
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{step} steps"), ("sans-serif", 15))
            .margin(8)
            .build_cartesian_2d(-1.6_f32..1.6, -1.6_f32..1.6)?;
        for (points, color) in [(ring, RGBColor(200, 200, 200)), (points, RGBColor(0, 114, 178))] {
            let some = points.chunks(2).take(400).map(|p| Circle::new((p[0], p[1]), 1, color.filled()));
            chart.draw_series(some)?;
        }
    }
    root.present()?;
    Ok(())
}
