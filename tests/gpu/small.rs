//! Devices below wgpu's default limits: plans use what is available, and otherwise name the limit.

use crate::common::{compare, to_f64};
use crate::harness::{Sample, distinct, host_device, share, submit};
use hesscale::model::{AvgPool2d, Conv2d, MaxPool2d, Targets};
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::wgpu;
use hesscale::{
    Activation, Context, ContextOptions, Error, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions,
    Result, State,
};

fn context(limits: wgpu::Limits, class: DeviceClass) -> Context {
    let (device, queue) = host_device(limits);
    Context::from_device(&device, &queue, ContextOptions::default().class(class))
}

/// Invocations of a workgroup, and bytes of its memory.
fn workgroups(invocations: u32, bytes: u32) -> wgpu::Limits {
    wgpu::Limits {
        max_compute_invocations_per_workgroup: invocations,
        max_compute_workgroup_size_x: invocations,
        max_compute_workgroup_size_y: invocations,
        max_compute_workgroup_storage_size: bytes,
        ..wgpu::Limits::defaults()
    }
}

fn samples() -> Vec<Sample> {
    let wide = Model::builder([80]).dense(96).act(Activation::Tanh).dense(70).loss(Loss::cross_entropy());
    let narrow = Model::builder([7]).dense(9).act(Activation::Silu).dense(3).loss(Loss::mse());
    let image =
        Model::builder([3, 8, 8]).layer(Conv2d::new(6, 3)).act(Activation::Relu).layer(MaxPool2d::new(2));
    let image = image.flatten().dense(5).loss(Loss::cross_entropy());
    [(wide, 40), (narrow, 300), (image, 6)]
        .into_iter()
        .map(|(model, batch)| Sample::new(model.unwrap(), batch, 1))
        .collect()
}

#[test]
fn smaller_workgroups_do() {
    let samples = samples();
    let all = [
        workgroups(128, 16_384),
        workgroups(256, 8192),
        workgroups(64, 4096),
        workgroups(64, 3072),
        wgpu::Limits { max_storage_buffers_per_shader_stage: 7, ..wgpu::Limits::downlevel_defaults() },
    ];
    for (turn, limits) in all.into_iter().enumerate() {
        let mut contexts = DeviceClass::ALL.map(|class| context(limits.clone(), class));
        contexts.rotate_left(turn);
        // Another network and class for each of the limits, and the others where there is time.
        for sample in share((0..samples.len()).map(|k| &samples[(turn + k) % samples.len()]), samples.len()) {
            for whole in [None, Some(false)] {
                let mut options = PlanOptions::training(Mode::HesScale);
                options.whole_network = whole;
                let plan = std::slice::from_ref(&options);
                let distinct = distinct(contexts.clone(), &sample.model, sample.batch, None, plan);
                for context in share(distinct, 3) {
                    let got = sample.on(&context, options.clone());
                    sample
                        .judge(&got, Mode::HesScale, &[])
                        .unwrap_or_else(|error| panic!("{:?}: {error}", context.class()));
                }
            }
        }
    }
}

#[test]
fn training_on_a_small_device() {
    let sample = &samples()[0];
    let steps = |context: Context, options: PlanOptions| {
        // An optimiser that does not divide by values that may be pure rounding error, because sums have other orders.
        let state = State::new(&context, &sample.model, Some(Optimizer::sgd(0.5))).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(&context, &sample.model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        submit(&context, |encoder| (0..4).for_each(|_| plan.record_step(encoder, Pass::FULL).unwrap()));
        context.read_blocking(&[state.parameters()]).unwrap().remove(0)
    };
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    for class in DeviceClass::ALL {
        // Plain steps are fused with their update, and joined on GPUs; a diagonal that only the user reads keeps them apart.
        for options in
            [PlanOptions::training(Mode::HesScale), PlanOptions::training(Mode::None).fused_update()]
        {
            let small = steps(context(workgroups(64, 3072), class), options.clone());
            let usual = steps(context(wgpu::Limits::defaults(), class), options);
            assert!(apart(&small, &usual) < 1e-5, "{class:?}: {}", apart(&small, &usual));
            assert!(apart(&small, &sample.parameters) > 0.01, "{class:?} has not moved");
        }
    }
}

fn plan(context: &Context, model: &Model, options: PlanOptions) -> Result<()> {
    let state = State::new(context, model, Some(Optimizer::ada_hesscale(0.1)))?;
    Plan::new(context, model, &state, 2, options).map(drop)
}

fn limit(result: Result<()>) -> (&'static str, u64, u64) {
    match result {
        Err(Error::Limit { limit, needed, available, .. }) => (limit, needed, available),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_done_is_named() {
    let dense = Model::builder([8]).dense(8).act(Activation::Tanh).dense(4).loss(Loss::mse()).unwrap();
    let training = || PlanOptions::training(Mode::HesScale);
    let buffers =
        |count| wgpu::Limits { max_storage_buffers_per_shader_stage: count, ..wgpu::Limits::defaults() };
    let invocations = "max_compute_invocations_per_workgroup";
    let storage = "max_storage_buffers_per_shader_stage";
    for class in DeviceClass::ALL {
        let few = context(buffers(3), class);
        let (name, needed, available) = limit(plan(&few, &dense, training()));
        assert!(name == storage && needed > 3 && available == 3, "{name} {needed} {available}");
        assert_eq!(few.health(), Ok(()));
        // Windows that a whole workgroup shares.
        let pool = Model::builder([1, 40, 40])
            .layer(AvgPool2d::new(40))
            .flatten()
            .dense(2)
            .loss(Loss::mse())
            .unwrap();
        let small = context(workgroups(128, 16_384), class);
        assert_eq!(limit(plan(&small, &pool, PlanOptions::inference())), (invocations, 256, 128));
        assert_eq!(plan(&small, &dense, training().whole_network(false)), Ok(()));
        // A whole network needs all of the default workgroup memory.
        let forced = plan(&context(workgroups(256, 8192), class), &dense, training().whole_network(true));
        assert_eq!(limit(forced), ("max_compute_workgroup_storage_size", 16_352, 8192));
        // Enough for no kernel at all.
        assert_eq!(limit(plan(&context(workgroups(4, 16_384), class), &dense, training())).0, invocations);
    }
    let uniform = wgpu::Limits { max_uniform_buffer_binding_size: 1024, ..wgpu::Limits::defaults() };
    let forced = plan(&context(uniform, DeviceClass::Discrete), &dense, training().whole_network(true));
    assert_eq!(limit(forced).0, "max_uniform_buffer_binding_size");
}

#[test]
fn a_small_device_is_trained_with_class_targets() {
    let model =
        Model::builder([8]).dense(16).act(Activation::Relu).dense(3).loss(Loss::cross_entropy()).unwrap();
    let context = context(workgroups(64, 4096), DeviceClass::Discrete);
    let mut trainer = Trainer::new(&context, &model, Optimizer::adam(0.05), Default::default()).unwrap();
    let x: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
    trainer.step(&x, Targets::Classes(&[0, 1, 2])).unwrap();
    let first = trainer.loss().unwrap();
    (0..50).for_each(|_| trainer.step(&x, Targets::Classes(&[0, 1, 2])).unwrap());
    assert!(trainer.loss().unwrap() < first / 4.0, "{first} and then {}", trainer.loss().unwrap());
}

/// Gradients of single samples are read back as many together as there is room for.
#[test]
fn samples_by_themselves_where_bindings_are_small() {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 16_384, ..wgpu::Limits::defaults() };
    let context = context(limits, DeviceClass::Software);
    let model = Model::builder([7]).dense(40).act(Activation::Tanh).dense(4).loss(Loss::mse()).unwrap();
    let mut random = fastrand::Rng::with_seed(8);
    let x = (0..30 * 7).map(|_| random.f32() - 0.5).collect();
    let targets = Labels::Values((0..30 * 4).map(|_| random.f32()).collect());
    let data = Dataset::new(x, 7, targets).unwrap();
    let options = || TrainerOptions::default().mode(Mode::HesScale);
    let mut trainers = [
        Trainer::new(&context, &model, Optimizer::sgd(0.1), options()).unwrap(),
        Trainer::on_cpu(&model, Optimizer::sgd(0.1), options()).unwrap(),
    ];
    for range in [0..30, 4..5] {
        let [got, want] =
            trainers.each_mut().map(|trainer| trainer.per_sample(&data, range.clone()).unwrap());
        for (got, want) in [(got.0, want.0), (got.1, want.1)] {
            assert_eq!(want.len(), range.len() * model.flat_len());
            compare("samples", &to_f64(&got), &to_f64(&want), 1e-5).unwrap();
        }
    }
}
