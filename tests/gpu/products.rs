//! Products with matrices of second derivatives on the GPU.

use crate::common::{compare, to_f64};
use crate::harness::{CLASSES, context, not_run, of_class, share_from, submit};
use crate::matrices::{Case, follows_the_reference, losses_of_products, networks, product};
use crate::problem::{Problem, mlp};
use hesscale::curvature::{Operator, hutchinson, lanczos};
use hesscale::model::{Matrix, Rule};
use hesscale::{
    Activation, Context, Dtype, Error, Loss, Mode, Model, Pass, Plan, PlanOptions, Products, State,
    StateBuffers, wgpu,
};

fn options() -> PlanOptions {
    PlanOptions::training(Mode::None)
}

fn to_f32(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

/// By one submission, after another along another direction, of which nothing may be left.
fn on_the_gpu(context: &Context, options: PlanOptions, case: &Case<'_>) -> Vec<f32> {
    let mut options = options;
    if case.weights.is_some() {
        options = options.sample_weights();
    }
    let products = Products::new(context, case.model, case.batch, case.matrix, options).unwrap();
    products.plan().write_input(case.input).unwrap();
    products.plan().write_targets(case.targets).unwrap();
    case.weights.iter().for_each(|weights| products.plan().write_sample_weights(weights).unwrap());
    let [state, along] = [case.parameters, case.v].map(|flat| {
        let state = State::new(context, case.model, None).unwrap();
        state.write_parameters(flat).unwrap();
        state
    });
    submit(context, |encoder| {
        products.record(encoder, &along, state.parameters()).unwrap();
        products.record(encoder, &state, along.parameters()).unwrap();
    });
    let read = context.read_blocking(&[products.product(), state.parameters()]).unwrap();
    assert_eq!(read[1][..case.parameters.len()], *case.parameters, "the state stays as it is");
    let product = read.into_iter().next().unwrap();
    // Behind a product along another direction, with what that has left: the same bits.
    context.write(products.direction(), case.parameters).unwrap();
    submit(context, |encoder| products.record_again(encoder).unwrap());
    context.write(products.direction(), case.v).unwrap();
    submit(context, |encoder| products.record_next(encoder).unwrap());
    let next = context.read_blocking(&[products.product()]).unwrap().swap_remove(0);
    let same = product.iter().zip(&next).all(|(product, next)| product.to_bits() == next.to_bits());
    assert!(same, "{:?} of {}: the next product differs", case.matrix, case.model.to_json());
    product
}

#[test]
fn every_network_follows_the_reference() {
    for class in CLASSES {
        let context = of_class(class);
        // Each network in one class, or in all.
        for (index, (name, model)) in share_from(networks().into_iter().enumerate(), 3, class as usize) {
            let (batch, weighted) = [(1, false), (5, true), (40, false)][(index + class as usize) % 3];
            let mut path = |case: &Case<'_>| on_the_gpu(&context, options(), case);
            follows_the_reference(name, &model, batch, weighted, &mut path);
        }
    }
}

#[test]
fn every_loss_follows_the_reference() {
    let context = context();
    for (index, model) in losses_of_products().into_iter().enumerate() {
        let mut path = |case: &Case<'_>| on_the_gpu(&context, options(), case);
        follows_the_reference("losses", &model, 6, index % 2 == 1, &mut path);
    }
}

#[test]
fn every_activation_follows_the_reference() {
    let context = context();
    for activation in Activation::ALL {
        let model = mlp(&[6, 9, 7, 3], activation, Loss::mse());
        let mut path = |case: &Case<'_>| on_the_gpu(&context, options(), case);
        follows_the_reference(activation.name(), &model, 7, false, &mut path);
    }
}

/// Wider than tiles, on every class: all families of products, with planes of different sizes.
#[test]
fn wide_layers_follow_the_reference() {
    for (class, batch) in CLASSES.into_iter().zip([33, 129, 7]) {
        let context = of_class(class);
        let model = mlp(&[130, 257, 70, 10], Activation::Tanh, Loss::cross_entropy());
        let mut path = |case: &Case<'_>| on_the_gpu(&context, options(), case);
        follows_the_reference("wide", &model, batch, false, &mut path);
    }
}

/// The first samples of a batch, as many as count.
#[test]
fn a_part_of_a_batch() {
    let context = context();
    let model = mlp(&[6, 9, 4], Activation::Tanh, Loss::cross_entropy());
    let mut path = |case: &Case<'_>| {
        let options = options().partial();
        let mut products = Products::new(&context, case.model, case.batch + 3, case.matrix, options).unwrap();
        let spoilt = [case.input, &[f32::NAN; 18]].concat();
        products.plan().write_input(&spoilt).unwrap();
        let hesscale::model::Targets::Classes(classes) = case.targets else { panic!("classes") };
        let targets = [classes, &[0; 3]].concat();
        products.plan().write_targets(hesscale::model::Targets::Classes(&targets)).unwrap();
        products.plan().write_count(case.batch).unwrap();
        let state = State::new(&context, case.model, None).unwrap();
        state.write_parameters(case.parameters).unwrap();
        let mut operator = products.at(&state).unwrap();
        let mut product = vec![1.0; case.v.len()];
        operator.apply(case.v, &mut product).unwrap();
        product
    };
    follows_the_reference("part", &model, 5, false, &mut path);
}

#[test]
fn stored_in_f16() {
    let context = context();
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        return not_run("f16 in shaders");
    }
    let problem = Problem::new(mlp(&[12, 40, 30, 5], Activation::Tanh, Loss::cross_entropy()), 20, 3);
    let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
    let v: Vec<f32> = parameters.iter().rev().map(|x| 0.5 * x).collect();
    // Without what lies in gaps.
    let mut along = vec![0.0; v.len()];
    problem.model.parameters().iter().for_each(|p| along[p.range()].copy_from_slice(&v[p.range()]));
    for matrix in [Matrix::Hessian, Matrix::GaussNewton] {
        let (model, targets) = (&problem.model, problem.targets.view());
        let (parameters, input, v) = (&parameters[..], &input[..], &along[..]);
        let case = Case { model, matrix, batch: 20, parameters, input, targets, weights: None, v };
        let got = on_the_gpu(&context, options().storage(Dtype::F16), &case);
        compare("product", &to_f64(&got), &product(&problem, matrix, None, &to_f64(v)), 2e-2).unwrap();
    }
}

/// A step of AdaHessian: the gradient of a plan, the diagonal of one probe, the update of AdaHesScale; the same by hand.
#[test]
fn the_diagonal_of_a_probe_is_an_optimisers() {
    let context = context();
    let rule = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-4 };
    let problem = Problem::new(mlp(&[6, 30, 4], Activation::Tanh, Loss::cross_entropy()), 8, 3);
    let model = &problem.model;
    let (w, x) = (to_f32(&problem.parameters), to_f32(&problem.input));
    let state = State::new(&context, model, Some(rule.at(0.01))).unwrap();
    state.write_parameters(&w).unwrap();
    let plan = Plan::new(&context, model, &state, 8, PlanOptions::training(Mode::HesScale)).unwrap();
    let mut products = Products::new(&context, model, 8, Matrix::Hessian, options()).unwrap();
    for plan in [&plan, products.plan()] {
        plan.write_input(&x).unwrap();
        plan.write_targets(problem.targets.view()).unwrap();
    }
    let estimate = hutchinson(&mut products.at(&state).unwrap(), 1, 5).unwrap();
    submit(&context, |encoder| plan.record_gradient(encoder, Pass::FULL).unwrap());
    let gradient = context.read_blocking(&[state.gradient()]).unwrap().swap_remove(0);
    let diagonal =
        [&estimate.diagonal[..], &vec![0.0; state.diagonal().len() - estimate.diagonal.len()]].concat();
    context.write(state.diagonal(), &diagonal).unwrap();
    submit(&context, |encoder| plan.record_update(encoder, Pass::FULL).unwrap());
    let after = context.read_blocking(&[state.parameters()]).unwrap().swap_remove(0);
    // The first step: bias corrections make m = g and v = h².
    let want = (0..w.len()).map(|i| {
        let (g, h) = (f64::from(gradient[i]), f64::from(diagonal[i]));
        f64::from(w[i]) - 0.01 * g / (h.abs() + 1e-4)
    });
    compare("parameters", &to_f64(&after[..w.len()]), &want.collect::<Vec<_>>(), 1e-5).unwrap();
    assert!(after[..w.len()] != w[..]);
}

/// As on the CPU, where they are counted by hand.
#[test]
fn operations_are_counted() {
    let context = context();
    let model = mlp(&[6, 9, 7, 3], Activation::Tanh, Loss::mse());
    for matrix in [Matrix::Hessian, Matrix::GaussNewton] {
        let products = Products::new(&context, &model, 4, matrix, options()).unwrap();
        let executor = hesscale::cpu::ExecutorOptions::training(Mode::None);
        let on_cpu = hesscale::cpu::Products::new(&model, 4, matrix, executor).unwrap();
        let first: u64 = products.plan().dispatches().map(|(_, flops)| flops).sum();
        let next: u64 = products.next_dispatches().map(|(_, flops)| flops).sum();
        assert_eq!([first, next], [on_cpu.flops(), on_cpu.flops_behind_the_first()], "{matrix:?}");
    }
}

#[test]
fn the_spectrum_is_the_cpus() {
    let (context, matrix) = (context(), Matrix::Hessian);
    let problem = Problem::new(mlp(&[6, 30, 4], Activation::Tanh, Loss::cross_entropy()), 8, 3);
    let (w, x) = (to_f32(&problem.parameters), to_f32(&problem.input));
    let state = State::new(&context, &problem.model, None).unwrap();
    state.write_parameters(&w).unwrap();
    let mut products = Products::new(&context, &problem.model, 8, matrix, options()).unwrap();
    products.plan().write_input(&x).unwrap();
    products.plan().write_targets(problem.targets.view()).unwrap();
    let got = lanczos(&mut products.at(&state).unwrap(), 25, 2).unwrap();
    let executor = hesscale::cpu::ExecutorOptions::training(Mode::None);
    let mut on_cpu = hesscale::cpu::Products::new(&problem.model, 8, matrix, executor).unwrap();
    let want = lanczos(&mut on_cpu.at(&w, &x, problem.targets.view(), None).unwrap(), 25, 2).unwrap();
    assert!((got.values[0] - want.values[0]).abs() < 1e-4 * want.values[0], "{got:?} {want:?}");
    let mut operator = products.at(&state).unwrap();
    let mut apply = |v: &[f32], len| Operator::apply(&mut operator, v, &mut vec![0.0; len]);
    assert!(matches!(apply(&w[1..], w.len()), Err(Error::Length { .. })));
    assert!(matches!(apply(&w, w.len() - 1), Err(Error::Length { .. })));
}

#[test]
fn what_does_not_fit_is_refused() {
    let context = context();
    let model = mlp(&[6, 9, 4], Activation::Tanh, Loss::cross_entropy());
    let state = |context: &Context, model: &Model| State::new(context, model, None).unwrap();
    let mine = state(&context, &model);
    let new = |options| Products::new(&context, &model, 4, Matrix::Hessian, options);
    assert!(matches!(new(PlanOptions::training(Mode::HesScale)), Err(Error::Unsupported { .. })));
    assert!(matches!(new(PlanOptions::inference()), Err(Error::NotPlanned { .. })));
    assert!(matches!(
        Products::new(&context, &model, 0, Matrix::Hessian, options()),
        Err(Error::ZeroSize { .. })
    ));
    let gru = Model::builder([3, 4]).gru(5).last().dense(2).loss(Loss::mse()).unwrap();
    let refused = Products::new(&context, &gru, 4, Matrix::GaussNewton, options()).unwrap_err();
    assert_eq!(refused.to_string(), "gru 1: `products with the Hessian` is not supported");
    let mut products = new(options()).unwrap();
    let other = mlp(&[6, 80, 4], Activation::Tanh, Loss::cross_entropy());
    let elsewhere = crate::harness::checked_context();
    let mut encoder = context.device().create_command_encoder(&Default::default());
    let mut record = |state: &State, v: &State| products.record(&mut encoder, state, v.parameters());
    let foreign = |owner| Err(Error::Foreign { what: "state", owner });
    assert_eq!(record(&state(&context, &other), &mine), foreign("model"));
    assert_eq!(record(&state(&elsewhere, &model), &mine), foreign("context"));
    assert!(matches!(record(&mine, &state(&context, &other)), Err(Error::Length { .. })));
    assert_eq!(
        record(&mine, &state(&elsewhere, &model)),
        Err(Error::Foreign { what: "tensor", owner: "device" })
    );
    assert!(record(&mine, &mine).is_ok());
    // The direction that is there already.
    assert!(products.record(&mut encoder, &mine, products.direction()).is_ok());
    context.queue().submit([encoder.finish()]);
    // What cannot be copied from.
    let usage = wgpu::BufferUsages::STORAGE;
    let size = 4 * model.flat_len() as u64;
    let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
    let buffers = StateBuffers::default().parameters(&context.device().create_buffer(&descriptor));
    let given = State::with_buffers(&context, &model, None, buffers).unwrap();
    let mut encoder = context.device().create_command_encoder(&Default::default());
    let refused = products.record(&mut encoder, &given, mine.parameters()).unwrap_err();
    assert!(matches!(refused, Error::BufferUsage { .. }), "{refused}");
    assert!(matches!(products.at(&given).map(drop), Err(Error::BufferUsage { .. })));
    // Its plan speaks of the model that was given.
    assert_eq!(products.plan().model(), &model);
    let foreign_state = state(&context, &other);
    assert_eq!(products.at(&foreign_state).map(drop), foreign("model"));
}

/// Over a data set as the CPU has it: whole batches, more than are added up on the device, and a rest.
#[test]
fn a_data_set_batch_by_batch() {
    use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
    let model = mlp(&[3, 8, 4], Activation::Tanh, Loss::cross_entropy());
    let mut random = fastrand::Rng::with_seed(2);
    let inputs: Vec<f32> = (0..3 * 201).map(|_| random.f32() - 0.5).collect();
    let classes = (0..201).map(|_| random.u32(0..4)).collect();
    let data = Dataset::new(inputs, 3, Labels::Classes(classes)).unwrap();
    let data = data.with_weights((0..201).map(|_| random.f32() + 0.1).collect()).unwrap();
    let (optimizer, options) = (hesscale::Optimizer::adam(1e-3), TrainerOptions::default);
    let on_cpu = Trainer::on_cpu(&model, optimizer, options()).unwrap();
    let trainer = Trainer::new(&context(), &model, optimizer, options()).unwrap();
    let v = on_cpu.parameters().unwrap();
    for matrix in [Matrix::Hessian, Matrix::GaussNewton] {
        let mut want = vec![0.0; v.len()];
        on_cpu.matrix_over(matrix, &data, 201).unwrap().apply(&v, &mut want).unwrap();
        for batch in [3, 50, 201, 1000] {
            let mut operator = trainer.matrix_over(matrix, &data, batch).unwrap();
            let mut got = vec![1.0; v.len()];
            operator.apply(&vec![0.5; v.len()], &mut got).unwrap();
            for _ in 0..2 {
                operator.apply(&v, &mut got).unwrap();
                compare("product", &to_f64(&got), &to_f64(&want), 2e-5)
                    .unwrap_or_else(|e| panic!("{batch}: {e}"));
            }
        }
    }
}

/// A loss and an activation of the user's own, by the derivatives that they give: as those that they are written after.
#[test]
fn functions_of_the_users_own() {
    let context = context();
    let model = |activation: Activation, loss: Loss| mlp(&[5, 9, 4], activation, loss);
    let own = model(crate::common::own::softplus(), crate::common::own::huber().into());
    let known = model(Activation::Softplus, Loss::huber(0.5));
    let products = [own, known].map(|model| {
        let problem = Problem::new(model, 7, 3);
        let (model, w, x) = (&problem.model, to_f32(&problem.parameters), to_f32(&problem.input));
        let (targets, weights, matrix) = (problem.targets.view(), None, Matrix::Hessian);
        let (parameters, input, v) = (&w[..], &x[..], &w[..]);
        on_the_gpu(
            &context,
            options(),
            &Case { model, matrix, batch: 7, parameters, input, targets, weights, v },
        )
    });
    let [own, known] = products.map(|product| to_f64(&product));
    compare("product", &own, &known, 1e-5).unwrap();
}
