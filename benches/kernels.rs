//! Benchmarks of single kernels and passes: forward, gradient, gradient with the diagonal, update.
//!
//! `cargo bench --bench kernels`. A product's throughput is in floating-point operations: 1 Gelem/s is 1 GFLOP/s.
//! `HESSCALE_ADAPTER` selects an adapter by part of its name.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use hesscale::model::{Builder, Init, Targets};
use hesscale::wgpu::CommandEncoder;
use hesscale::{
    Activation, Context, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, Request, Result, State,
};
use std::process::ExitCode;
use std::time::Duration;

const BATCH: usize = 128;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let request = Request::default().adapter(std::env::var("HESSCALE_ADAPTER").ok());
    let context = pollster::block_on(Context::request_with(&request))?;
    println!("adapter: {}", context.describe());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    products(&mut criterion, &context)?;
    elementwise(&mut criterion, &context)?;
    losses(&mut criterion, &context)?;
    gradients(&mut criterion, &context)?;
    updates(&mut criterion, &context)?;
    criterion.final_summary();
    Ok(())
}

/// The forward pass of one dense layer: the tiled product alone.
fn products(criterion: &mut Criterion, context: &Context) -> Result<()> {
    let mut group = criterion.benchmark_group("forward/dense");
    for size in [64, 256, 512] {
        let bench = Bench::new(context, Model::builder([size]).dense(size), PlanOptions::inference(), None)?;
        bench.run(&mut group, &format!("{size}x{size}, batch {BATCH}"), bench.flops(), |plan, encoder| {
            plan.record_forward(encoder);
            Ok(())
        });
    }
    Ok(())
}

/// The forward pass of one activation, without fusion.
fn elementwise(criterion: &mut Criterion, context: &Context) -> Result<()> {
    let mut group = criterion.benchmark_group("forward/activation");
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
        let bench =
            Bench::new(context, Model::builder([4096]).act(activation), PlanOptions::inference(), None)?;
        let name = format!("{}, {} elements", activation.name(), bench.elements());
        bench.run(&mut group, &name, bench.elements(), |plan, encoder| {
            plan.record_forward(encoder);
            Ok(())
        });
    }
    Ok(())
}

/// Softmax cross-entropy with gradient and diagonal, directly on the input.
fn losses(criterion: &mut Criterion, context: &Context) -> Result<()> {
    let mut group = criterion.benchmark_group("loss");
    for classes in [10, 1000] {
        for mode in [Mode::None, Mode::HesScale] {
            let body = Model::builder([classes]).act(Activation::Identity);
            let bench = Bench::new(context, body, PlanOptions::training(mode), None)?;
            let name = format!("{} over {classes} classes, batch {BATCH}", mode.name());
            bench.run(&mut group, &name, bench.elements(), |plan, encoder| {
                plan.record_gradient(encoder, Pass::FULL)
            });
        }
    }
    Ok(())
}

fn mlp(hidden: usize) -> Builder {
    let tanh = Activation::Tanh;
    Model::builder([64]).dense(hidden).act(tanh).dense(hidden).act(tanh).dense(10)
}

/// Forward, loss and backward.
fn gradients(criterion: &mut Criterion, context: &Context) -> Result<()> {
    for mode in [Mode::None, Mode::HesScale] {
        let mut group = criterion.benchmark_group(format!("gradient/{}", mode.name()));
        for hidden in [64, 256] {
            let bench = Bench::new(context, mlp(hidden), PlanOptions::training(mode), None)?;
            let name = format!("64-{hidden}-{hidden}-10, batch {BATCH}");
            bench.run(&mut group, &name, bench.flops(), |plan, encoder| {
                plan.record_gradient(encoder, Pass::FULL)
            });
        }
    }
    Ok(())
}

/// The optimiser's dispatches on the whole model.
fn updates(criterion: &mut Criterion, context: &Context) -> Result<()> {
    let optimizers = [Optimizer::sgd(1e-3), Optimizer::adam(1e-3), Optimizer::ada_hesscale(1e-3)];
    for optimizer in optimizers {
        let mut group = criterion.benchmark_group(format!("update/{}", optimizer.rule.name()));
        for hidden in [64, 512] {
            let options = PlanOptions::training(optimizer.rule.mode());
            let bench = Bench::new(context, mlp(hidden), options, Some(optimizer))?;
            let parameters = bench.plan.model().parameter_count();
            let name = format!("{parameters} parameters");
            bench.run(&mut group, &name, parameters as u64, |plan, encoder| {
                plan.record_update(encoder, Pass::FULL)
            });
        }
    }
    Ok(())
}

/// A plan with input and targets written.
struct Bench<'a> {
    context: &'a Context,
    plan: Plan,
}

impl Bench<'_> {
    fn new(
        context: &Context,
        body: Builder,
        options: PlanOptions,
        optimizer: Option<Optimizer>,
    ) -> Result<Bench<'_>> {
        let model = body.loss(Loss::cross_entropy())?;
        let state = State::new(context, &model, optimizer)?;
        state.write_parameters(&model.init(Init::Glorot, 1)?)?;
        let plan = Plan::new(context, &model, &state, BATCH, options)?;
        let mut random = fastrand::Rng::with_seed(1);
        let input: Vec<f32> = (0..BATCH * model.inputs()).map(|_| random.f32()).collect();
        plan.write_input(&input)?;
        if plan.loss().is_ok() {
            plan.write_targets(Targets::Classes(&[0; BATCH]))?;
        }
        Ok(Bench { context, plan })
    }

    /// Floating-point operations of the plan's products.
    fn flops(&self) -> u64 {
        self.plan.dispatches().map(|(_, flops)| flops).sum()
    }

    /// Elements of the input.
    fn elements(&self) -> u64 {
        self.plan.input().len() as u64
    }

    /// Times recording, submitting and waiting.
    fn run(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &str,
        work: u64,
        record: impl Fn(&Plan, &mut CommandEncoder) -> Result<()>,
    ) {
        group.throughput(Throughput::Elements(work));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let mut encoder = self.context.device().create_command_encoder(&Default::default());
                record(&self.plan, &mut encoder).expect("planned for it");
                self.context.queue().submit([encoder.finish()]);
                self.context.wait().expect("the device works");
            });
        });
    }
}
