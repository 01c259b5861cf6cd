//! Two models in a row, trained as one.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, CLASSES, Sample, context, of_class, submit};
use hesscale::model::{Conv2d, MaxPool2d, Rule};
use hesscale::reference::pass;
use hesscale::{Activation, At, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State, wgpu};

const TANH: Activation = Activation::Tanh;

/// The whole, and its two parts.
fn networks() -> Vec<[Model; 3]> {
    let dense = |m: hesscale::model::Builder| m.dense(12).act(TANH).dense(6).act(TANH);
    let ending =
        |m: hesscale::model::Builder| m.dense(9).act(TANH).dense(4).loss(Loss::cross_entropy()).unwrap();
    let image = |m: hesscale::model::Builder| m.layer(Conv2d::new(5, 3).same()).act(TANH);
    let images_end = |m: hesscale::model::Builder| {
        let m = m.layer(Conv2d::new(3, 2)).act(TANH).layer(MaxPool2d::new(2)).flatten();
        m.dense(4).loss(Loss::cross_entropy()).unwrap()
    };
    let (rows, pixels) = (|| Model::builder([7]), || Model::builder([2, 6, 5]));
    vec![
        [ending(dense(rows())), dense(rows()).loss(Loss::external()).unwrap(), ending(Model::builder([6]))],
        [
            images_end(image(pixels())),
            image(pixels()).loss(Loss::external()).unwrap(),
            images_end(Model::builder([5, 6, 5])),
        ],
    ]
}

#[test]
fn two_models_in_a_row_train_as_one() {
    let rule = |eps| Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps };
    let (context, optimizer): (_, Optimizer) = (context(), rule(1e-2).at(1e-2));
    for [whole, first, second] in networks() {
        let sample = Sample::new(whole, 40, 5);
        let (mine, rest) = sample.parameters.split_at(first.flat_len());
        for mode in [Mode::HesScale, Mode::HesScaleR2] {
            let state = |model: &Model, parameters: &[f32]| {
                let state = State::new(&context, model, Some(optimizer)).unwrap();
                state.write_parameters(parameters).unwrap();
                state
            };
            let states =
                [state(&first, mine), state(&second, rest), state(&sample.model, &sample.parameters)];
            let options = || PlanOptions::training(mode);
            let one = Plan::new(&context, &first, &states[0], 40, options()).unwrap();
            let reads = options().input(one.logits()).signal(At::Input);
            let two = Plan::new(&context, &second, &states[1], 40, reads).unwrap();
            let all = Plan::new(&context, &sample.model, &states[2], 40, options()).unwrap();
            for plan in [&one, &all] {
                plan.write_input(&sample.x).unwrap();
            }
            for plan in [&two, &all] {
                plan.write_targets(sample.targets.view()).unwrap();
            }
            let (from, to) = (two.signal_planes(At::Input).unwrap(), one.outside_signal().unwrap().planes());
            assert_eq!(from.shape(), to.shape());
            submit(&context, |encoder| {
                for _ in 0..5 {
                    one.record_forward(encoder);
                    two.record_step(encoder, Pass::FULL).unwrap();
                    let (source, bytes) = (from.bytes(), to.bytes());
                    let size = bytes.end - bytes.start;
                    encoder.copy_buffer_to_buffer(
                        from.buffer(),
                        source.start,
                        to.buffer(),
                        bytes.start,
                        size,
                    );
                    one.record_backward_step(encoder, Pass::FULL).unwrap();
                    all.record_step(encoder, Pass::FULL).unwrap();
                }
            });
            let tensors = [states[0].parameters(), states[1].parameters(), states[2].parameters()];
            let read = context.read_blocking(&tensors).unwrap();
            let apart = [&read[0][..first.flat_len()], &read[1][..second.flat_len()]].concat();
            let want = to_f64(&read[2][..sample.model.flat_len()]);
            compare("parameters", &to_f64(&apart), &want, BOUND).unwrap_or_else(|e| panic!("{mode:?}: {e}"));
            // Each part has moved, and by nothing small beside the bound.
            for p in sample.model.parameters() {
                let moved =
                    compare(&p.name(), &want[p.range()], &to_f64(&sample.parameters[p.range()]), 1e-3);
                assert!(moved.is_err(), "{mode:?}: {} stands still", p.name());
            }
        }
    }
}

/// A policy and a value function on one trunk, on the GPU: the heads read its outputs, and a shader of the host's adds up the signals
/// that they leave there.
#[test]
fn two_heads_on_one_trunk() {
    const TEXT: &str = "
        @group(0) @binding(0) var<storage, read> one: array<f32>;
        @group(0) @binding(1) var<storage, read> other: array<f32>;
        @group(0) @binding(2) var<storage, read_write> sum: array<f32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x < arrayLength(&sum) {
                sum[id.x] = one[id.x] + other[id.x];
            }
        }";
    const BATCH: usize = 37;
    let trunk = || Model::builder([7]).dense(70).act(TANH).dense(67).act(TANH);
    let actor =
        |m: hesscale::model::Builder| m.dense(33).act(TANH).dense(5).loss(Loss::cross_entropy()).unwrap();
    let critic = |m: hesscale::model::Builder| m.dense(1).loss(Loss::mse()).unwrap();
    let samples = [actor(trunk()), critic(trunk())].map(|model| Sample::new(model, BATCH, 5));
    let below = trunk().loss(Loss::external()).unwrap();
    let heads = [actor(Model::builder([67])), critic(Model::builder([67]))];
    let (common, x) = (&samples[0].parameters[..below.flat_len()], &samples[0].x);
    let mode = Mode::HesScale;
    let mut want = [vec![0.0; below.flat_len()], vec![0.0; below.flat_len()]];
    for sample in &samples {
        let parameters = [common, &sample.parameters[below.flat_len()..]].concat();
        let targets = sample.targets.view();
        let found = pass(&sample.model, mode, &to_f64(&parameters), &to_f64(x), targets).unwrap();
        for (sum, part) in want.iter_mut().zip([found.gradient, found.diagonal]) {
            sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
    }
    for class in CLASSES {
        let context = of_class(class);
        let device = context.device();
        let state = |model: &Model, parameters: &[f32]| {
            let state = State::new(&context, model, None).unwrap();
            state.write_parameters(parameters).unwrap();
            state
        };
        let of_trunk = state(&below, common);
        let plan = Plan::new(&context, &below, &of_trunk, BATCH, PlanOptions::training(mode)).unwrap();
        plan.write_input(x).unwrap();
        let above: Vec<(State, Plan)> = heads
            .iter()
            .zip(&samples)
            .map(|(model, sample)| {
                let state = state(model, &sample.parameters[below.flat_len()..]);
                let options = PlanOptions::training(mode).input(plan.logits()).signal(At::Input);
                let head = Plan::new(&context, model, &state, BATCH, options).unwrap();
                head.write_targets(sample.targets.view()).unwrap();
                (state, head)
            })
            .collect();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(TEXT.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let planes = |index: usize| above[index].1.signal_planes(At::Input).unwrap();
        let sum = plan.outside_signal().unwrap().planes();
        assert_eq!(planes(0).shape(), sum.shape());
        let resources = [planes(0).binding(), planes(1).binding(), sum.binding()];
        let entries =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries.collect::<Vec<_>>(),
        });
        submit(&context, |encoder| {
            plan.record_forward(encoder);
            for (_, head) in &above {
                head.record_gradient(encoder, Pass::FULL).unwrap();
            }
            let mut host = encoder.begin_compute_pass(&Default::default());
            host.set_pipeline(&pipeline);
            host.set_bind_group(0, &group, &[]);
            host.dispatch_workgroups((sum.bytes().end - sum.bytes().start).div_ceil(4 * 64) as u32, 1, 1);
            drop(host);
            plan.record_backward(encoder, Pass::FULL).unwrap();
        });
        let got = context.read_blocking(&[of_trunk.gradient(), of_trunk.diagonal()]).unwrap();
        for ((what, got), want) in ["gradient", "diagonal"].into_iter().zip(got).zip(&want) {
            let got = to_f64(&got[..want.len()]);
            compare(what, &got, want, BOUND).unwrap_or_else(|fault| panic!("{class:?}: {fault}"));
        }
    }
}
