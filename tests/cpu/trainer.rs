//! The trainer on the CPU, and how a trainer selects its backend.

use crate::common::{compare, to_f64};
use hesscale::cpu::{Executor, ExecutorOptions, Threads};
use hesscale::model::{Conv2d, Init, MaxPool2d, Noise, Rule, Targets};
use hesscale::reference::{OptimizerState, pass_with_noise};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Context, Error, Loss, Mode, Model, Optimizer, Request};

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
        let step = fastest(|| trainer.step(&x, targets).unwrap());
        println!(
            "{threads} threads: predict {bare} and {whole} ns, pass {pass}, gradient {gradient}, step {step}"
        );
        assert!(whole < 2 * bare, "predict: {whole} ns, of which {bare} are the executor's");
        // Copies of the gradient, and the update of 4,500 parameters.
        assert!(
            gradient < 3 * pass && step < 3 * pass,
            "{gradient} and {step} ns; {pass} are the executor's"
        );
    }
}

/// A setting of another rule is refused before anything trains.
#[test]
fn settings_of_another_rule_are_refused() {
    let model = model();
    let refused = |optimizer| Trainer::on_cpu(&model, optimizer, options()).unwrap_err();
    let error = |rule, setting, settings| Error::Setting { rule, setting, settings };
    assert_eq!(refused(Optimizer::adam(0.1).momentum(0.9)), error("adam", "momentum", "betas, eps"));
    assert_eq!(refused(Optimizer::sgd(0.1).betas(0.9, 0.9)), error("sgd", "betas", "momentum, nesterov"));
    let mut parameters = vec![0.0_f64; model.flat_len()];
    let (gradient, mut state) = (parameters.clone(), OptimizerState::new(model.flat_len()));
    let stepped = state.step(&Optimizer::adam(0.1).nesterov(), &mut parameters, &gradient, &[]);
    assert_eq!(stepped, Err(error("adam", "nesterov", "betas, eps")));
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
