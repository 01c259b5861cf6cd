//! The trainer on the CPU, and how a trainer selects its backend.

use crate::common::{compare, to_f64};
use crate::layers::norm;
use hesscale::cpu::{Executor, ExecutorOptions, Threads, update};
use hesscale::model::{Conv2d, Group, Groups, Init, MaxPool2d, Noise, Rule, Schedule, Targets};
use hesscale::reference::{OptimizerState, pass_with_noise};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, At, Context, Error, Loss, Mode, Model, Optimizer, Request};

const BATCH: usize = 12;

fn model() -> Model {
    let body = Model::builder([2, 8, 8]).layer(Conv2d::new(6, 3)).act(Activation::Tanh);
    let body = body.layer(MaxPool2d::new(2)).dropout(0.2).flatten().dense(20).act(Activation::Tanh);
    body.dense(3).loss(Loss::cross_entropy()).unwrap()
}

/// Batch `step`; every third is smaller.
fn batch(step: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = fastrand::Rng::with_seed(step as u64);
    let samples = if step % 3 == 2 { 5 } else { BATCH };
    let x = (0..samples * 128).map(|_| random.f32() * 2.0 - 1.0).collect();
    (x, (0..samples).map(|_| random.u32(..3)).collect())
}

fn options() -> TrainerOptions {
    TrainerOptions::default().seed(3).init(Init::Glorot).curvature_every(2).threads(2)
}

/// Ten steps beside the reference's in f64. Products sum in another order than its plain loops, so bits differ. The usual ε of
/// 1e-8 would divide by diagonals that cancel to almost 0, and magnify those bits to more than any bound could allow.
#[test]
fn steps_follow_the_reference() {
    let optimizer = Rule::AdaHesScale { beta1: 0.9, beta2: 0.999, eps: 1e-4 }.at(0.003);
    let mut trainer = Trainer::on_cpu(&model(), optimizer, options()).unwrap();
    let model = trainer.model().clone();
    let mut parameters = to_f64(&trainer.parameters().unwrap());
    let mut memory = OptimizerState::new(parameters.len());
    for step in 0..10 {
        let (x, y) = batch(step);
        trainer.step(&x, Targets::Classes(&y)).unwrap();
        let mode = if step % 2 == 0 { Mode::HesScale } else { Mode::None };
        let noise = Noise { seed: 3, step: step as u32 };
        let pass =
            pass_with_noise(&model, mode, &parameters, &to_f64(&x), Targets::Classes(&y), noise).unwrap();
        compare(&format!("loss {step}"), &[trainer.loss().unwrap().into()], &[pass.loss], 1e-4).unwrap();
        memory.step(&optimizer, &mut parameters, &pass.gradient, &pass.diagonal).unwrap();
    }
    let error = compare("parameters", &to_f64(&trainer.parameters().unwrap()), &parameters, 1e-4).unwrap();
    println!("parameters: {error:e}");
    let x = batch(0).0;
    let want = hesscale::reference::predict(&model, &to_f64(&trainer.parameters().unwrap()), &to_f64(&x));
    compare("outputs", &to_f64(&trainer.predict(&x).unwrap()), &want.unwrap(), 1e-5).unwrap();
}

/// Every kind of layer with parameters, each frozen in turn, then all below the last: no gradient of what is frozen, the same bits
/// of the rest, and signals where they are asked for all the same.
#[test]
fn frozen_layers_have_no_gradient() {
    let model = Model::builder([2, 6, 5]).conv2d(4, 3).act(Activation::Tanh).layer(norm(4));
    let model = model.layer(Conv2d::new(4, 2).groups(4)).act(Activation::Relu).flatten().dense(7);
    let model = model.act(Activation::Tanh).dense(3).loss(Loss::cross_entropy()).unwrap();
    let parameters = model.init(Init::Glorot, 2).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let x: Vec<f32> = (0..9 * model.inputs()).map(|_| random.f32() * 2.0 - 1.0).collect();
    let y: Vec<u32> = (0..9).map(|_| random.u32(..3)).collect();
    let mode = Mode::HesScaleR1;
    let run = |options: ExecutorOptions| {
        let mut executor = Executor::new(&model, 9, options.threads(Threads::new(2).unwrap())).unwrap();
        executor.pass(mode, &parameters, &x, Targets::Classes(&y), Noise::default()).unwrap();
        executor
    };
    let training = || ExecutorOptions::training(mode);
    let whole = run(training().signal(At::Input));
    let mut fewest = u64::MAX;
    for patterns in
        [&["0.*"][..], &["2.*"], &["3.*"], &["6.*"], &["8.*"], &["0.*", "2.*", "3.*", "6.*"], &["*"]]
    {
        let groups = patterns.iter().fold(Groups::new(), |all, p| all.with(*p, Group::new().frozen()));
        let frozen =
            |name: &str| patterns.iter().any(|p| *p == "*" || name.starts_with(p.trim_end_matches('*')));
        for options in [training(), training().signal(At::Input)] {
            let kept = !options.signals.is_empty();
            let executor = run(options.groups(groups.clone()));
            for p in model.parameters() {
                for (got, want) in
                    [(executor.gradient(), whole.gradient()), (executor.diagonal(), whole.diagonal())]
                {
                    match frozen(&p.name()) {
                        true => {
                            assert!(got[p.range()].iter().all(|g| *g == 0.0), "{patterns:?} {}", p.name())
                        }
                        false => assert_eq!(got[p.range()], want[p.range()], "{patterns:?} {}", p.name()),
                    }
                }
            }
            match kept {
                true => assert_eq!(executor.signal(At::Input).unwrap(), whole.signal(At::Input).unwrap()),
                false => fewest = fewest.min(executor.flops(mode)),
            }
        }
    }
    // Forward alone.
    assert_eq!(fewest, run_forward(&model));
    let unknown = training().groups(Groups::new().with("nowhere.*", Group::new()));
    assert!(matches!(Executor::new(&model, 9, unknown), Err(Error::Unknown { .. })));
}

fn run_forward(model: &Model) -> u64 {
    Executor::new(model, 9, ExecutorOptions::inference()).unwrap().flops(Mode::None)
}

/// Limits, groups, a schedule and an average, together beside the reference.
#[test]
fn limited_and_grouped_steps_follow_the_reference() {
    let groups = Groups::new()
        .with("*.bias", Group::new().rate(0.5).weight_decay(0.0))
        .with("0.*", Group::new().frozen());
    let schedule = Schedule::warm_up(4).then(6, Schedule::cosine(10, 0.1));
    for optimizer in [
        Optimizer::ada_hesscale(0.01).eps(1e-3).weight_decay(0.1).average(0.8).clip_gradient_norm(0.2),
        Optimizer::ada_hesscale_abs(0.01).eps(1e-2).trust(1e-5),
        Optimizer::sophia(0.01).eps(1e-2).average(0.5),
        Optimizer::rmsprop(0.01).eps(1e-2).clip_gradient(0.01),
        Optimizer::adam(0.01).eps(1e-3).clip_gradient_norm(0.05),
    ] {
        let options = options().groups(groups.clone()).schedule(schedule.clone());
        let mut trainer = Trainer::on_cpu(&model(), optimizer, options).unwrap();
        let model = trainer.model().clone();
        let spans = groups.spans(&model, &optimizer).unwrap();
        let started = trainer.parameters().unwrap();
        let mut parameters = to_f64(&started);
        let mut memory = OptimizerState::new(parameters.len());
        for step in 0..10 {
            let (x, y) = batch(step);
            let rate = trainer.learning_rate();
            assert_eq!(rate, (0.01_f32 as f64 * schedule.factor(step as u64)) as f32);
            trainer.step(&x, Targets::Classes(&y)).unwrap();
            let with_curvature = step % 2 == 0 && optimizer.rule.mode().has_diagonal();
            let mode = if with_curvature { optimizer.rule.mode() } else { Mode::None };
            let noise = Noise { seed: 3, step: step as u32 };
            let pass =
                pass_with_noise(&model, mode, &parameters, &to_f64(&x), Targets::Classes(&y), noise).unwrap();
            let now = optimizer.learning_rate(rate);
            memory.step_spans(&now, &spans, &mut parameters, &pass.gradient, &pass.diagonal).unwrap();
        }
        let got = trainer.parameters().unwrap();
        compare(&format!("{optimizer:?}"), &to_f64(&got), &parameters, 1e-4).unwrap();
        match optimizer.average {
            Some(_) => {
                let average = to_f64(&trainer.averaged_parameters().unwrap());
                compare("average", &average, &memory.average, 1e-4).unwrap();
            }
            None => assert!(matches!(trainer.averaged_parameters(), Err(Error::NotPlanned { .. }))),
        }
        let frozen = model.parameters()[0].range();
        assert_eq!(got[frozen.clone()], started[frozen]);
    }
}

/// The cases that the default is for: see `docs/optimizers.md`.
#[test]
fn adahesscale_stays_finite_where_curvature_dies() {
    let layers = (0..4).fold(Model::builder([64]), |layers, _| layers.dense(300).act(Activation::Relu));
    let model = layers.dense(100).loss(Loss::cross_entropy()).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let x: Vec<f32> = (0..32 * 64).map(|_| random.f32() * 2.0 - 1.0).collect();
    let y: Vec<u32> = (0..32).map(|_| random.u32(..100)).collect();
    let train = |optimizer| {
        let mut trainer = Trainer::on_cpu(&model, optimizer, TrainerOptions::default()).unwrap();
        (0..8).for_each(|_| trainer.step(&x, Targets::Classes(&y)).unwrap());
        trainer.loss()
    };
    assert!(matches!(train(Optimizer::ada_hesscale(1e-3).unlimited()), Err(Error::Diverged { .. })));
    let loss = train(Optimizer::ada_hesscale(1e-3)).unwrap();
    assert!(loss < 0.1, "{loss}");
}

/// The same number of threads gives the same bits, whatever batches came before.
#[test]
fn the_same_bits_every_time() {
    let train = |threads, warm: &[usize]| {
        let optimizer = Optimizer::ada_hesscale(0.01);
        let mut trainer = Trainer::on_cpu(&model(), optimizer, options().threads(threads)).unwrap();
        for step in warm {
            let (x, _) = batch(*step);
            trainer.predict(&x).unwrap();
        }
        for step in 0..7 {
            let (x, y) = batch(step);
            trainer.step(&x, Targets::Classes(&y)).unwrap();
        }
        trainer.parameters().unwrap()
    };
    for threads in [1, 2, 3] {
        let first = train(threads, &[]);
        assert_eq!(train(threads, &[2, 0]), first);
        compare("one thread", &to_f64(&first), &to_f64(&train(1, &[])), 1e-3).unwrap();
    }
    assert!(matches!(
        Trainer::on_cpu(&model(), Optimizer::sgd(0.1), options().threads(0)),
        Err(Error::ZeroSize { .. })
    ));
}

/// A GPU if there is one, else the CPU; a named adapter is used in any case, or refused.
#[test]
fn a_trainer_decides() {
    let request = |adapter: Option<String>| {
        let request = Request::default().adapter(adapter);
        pollster::block_on(Trainer::request_with(&request, &model(), Optimizer::sgd(0.1), options()))
    };
    let device = request(None).unwrap().device();
    match pollster::block_on(Context::hardware(&Request::default())) {
        Ok(context) => assert_eq!(device, context.describe()),
        Err(error) => {
            assert!(matches!(error, Error::NoAdapter { .. }), "{error}");
            assert_eq!(device, "CPU, 2 threads");
        }
    }
    let refused = request(Some("an adapter of this name".into()));
    assert!(matches!(refused, Err(Error::NoAdapter { .. })));
    if let Some(name) = pollster::block_on(Context::adapters()).into_iter().next() {
        assert_eq!(request(Some(name.clone())).unwrap().device(), name);
    }
}

/// The fastest of many calls, in nanoseconds.
fn fastest(mut call: impl FnMut()) -> u128 {
    let time = |call: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        call();
        start.elapsed().as_nanos()
    };
    (0..2000).map(|_| time(&mut call)).min().unwrap()
}

/// A trainer's call costs as much as the executor's: it spawns no threads.
#[test]
fn calls_make_no_threads() {
    let model = Model::builder([4]).dense(64).act(Activation::Tanh).dense(64).act(Activation::Tanh).dense(2);
    let model = model.loss(Loss::mse()).unwrap();
    let x = [0.1, -0.2, 0.3, 0.4];
    for threads in [1, 2, 4] {
        let options = TrainerOptions::default().threads(threads);
        let mut trainer = Trainer::on_cpu(&model, Optimizer::sgd(0.01), options).unwrap();
        let parameters = trainer.parameters().unwrap();
        let inference = ExecutorOptions::inference().threads(Threads::new(threads).unwrap());
        let mut executor = Executor::new(&model, 1, inference).unwrap();
        let training = ExecutorOptions::training(Mode::None).threads(Threads::new(threads).unwrap());
        let mut both_ways = Executor::new(&model, 1, training).unwrap();
        let bare = fastest(|| drop(executor.predict(&parameters, &x).unwrap().to_vec()));
        let whole = fastest(|| drop(trainer.predict(&x).unwrap()));
        let targets = Targets::Values(&[0.5, -0.5]);
        let pass = fastest(|| {
            both_ways.pass(Mode::None, &parameters, &x, targets, Noise::default()).unwrap();
        });
        let gradient = fastest(|| drop(trainer.gradient(&x, targets).unwrap()));
        let (mut memory, mut moved) = (OptimizerState::<f32>::new(parameters.len()), parameters.clone());
        let (sgd, alone) = (Optimizer::sgd(0.01), Threads::new(1).unwrap());
        let moving = fastest(|| {
            update(&alone, &sgd, &mut memory, &mut moved, both_ways.gradient(), &[]).unwrap();
        });
        let step = fastest(|| trainer.step(&x, targets).unwrap());
        println!(
            "{threads} threads: predict {bare} and {whole} ns, pass {pass}, gradient {gradient}, update {moving}, step {step}"
        );
        assert!(whole < 2 * bare, "predict: {whole} ns, of which {bare} are the executor's");
        // Copies of the gradient.
        assert!(gradient < 3 * pass, "gradient: {gradient} ns, of which {pass} are the executor's");
        assert!(
            step < 2 * (pass + moving),
            "step: {step} ns, of which {pass} and {moving} are the executor's"
        );
    }
}

/// A setting of another rule is refused before anything trains.
#[test]
fn settings_of_another_rule_are_refused() {
    let model = model();
    let refused = |optimizer| Trainer::on_cpu(&model, optimizer, options()).unwrap_err();
    let error = |rule, setting, settings| Error::Setting { rule, setting, settings };
    assert_eq!(refused(Optimizer::adam(0.1).momentum(0.9)), error("adam", "momentum", "betas, eps, trust"));
    assert_eq!(refused(Optimizer::sgd(0.1).betas(0.9, 0.9)), error("sgd", "betas", "momentum, nesterov"));
    let mut parameters = vec![0.0_f64; model.flat_len()];
    let (gradient, mut state) = (parameters.clone(), OptimizerState::new(model.flat_len()));
    let stepped = state.step(&Optimizer::adam(0.1).nesterov(), &mut parameters, &gradient, &[]);
    assert_eq!(stepped, Err(error("adam", "nesterov", "betas, eps, trust")));
}

/// On whatever device: a trainer may be made on one thread and used on another, and what it gives may be awaited there.
#[test]
fn a_trainer_moves_between_threads() {
    fn moves<T: Send>(_: &T) {}
    fn shared<T: Send + Sync>() {}
    shared::<Trainer>();
    let model = Model::builder([2]).dense(2).loss(Loss::mse()).unwrap();
    let mut trainer = Trainer::on_cpu(&model, Optimizer::sgd(0.1), Default::default()).unwrap();
    moves(&trainer.loss_async());
    moves(&trainer.predict_async(&[0.0; 2]));
}
