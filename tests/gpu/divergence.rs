//! Training reports NaN and infinities, through the loss and through the word that the optimiser's kernels set.

use crate::common::golden::OwnedTargets;
use crate::harness::{Sample, context, not_run, request, share, share_from, spared, submit};
use crate::nonfinite::{of_class, of_classes};
use crate::problem::losses;
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Conv2d, Loss, MaxPool2d, Noise, Parameter, Rule};
use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, Context, Dtype, Error, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State};

const BATCH: usize = 5;

fn dense(activation: Activation, loss: impl Into<Loss>) -> Model {
    Model::builder([8]).dense(12).act(activation).dense(8).act(activation).dense(6).loss(loss).unwrap()
}

fn images(loss: impl Into<Loss>) -> Model {
    let builder = Model::builder([2, 6, 6]).layer(Conv2d::new(4, 3)).act(Activation::Relu);
    let builder = builder.layer(MaxPool2d::new(2).stride(1)).layer(Conv2d::new(4, 2).groups(4));
    builder.act(Activation::Elu { alpha: 1.0 }).flatten().dense(6).loss(loss).unwrap()
}

/// A loss at each of four positions.
fn positions(loss: impl Into<Loss>) -> Model {
    Model::builder([3, 2, 2]).conv2d(4, 1).act(Activation::Relu).conv2d(6, 1).loss(loss).unwrap()
}

/// As they were published: nothing keeps their steps finite.
fn optimizers() -> [Optimizer; 4] {
    [
        Optimizer::sgd(0.01),
        Optimizer::adam(0.01),
        Optimizer::ada_hesscale(0.01).unlimited(),
        Optimizer::ada_hesscale_gn(0.01).unlimited(),
    ]
}

fn told(step: Option<u64>) -> Error {
    Error::Diverged { what: "a parameter or what the optimiser keeps", step }
}

/// The ways to record a step: update fused or separate, whole network or per layer, dispatches joined or not.
fn ways(mode: Mode, whole: bool) -> Vec<PlanOptions> {
    let apart = PlanOptions::training(mode).whole_network(false);
    let mut ways =
        vec![apart.clone(), apart.clone().fused_update(), apart.fused_update().fewer_dispatches(true)];
    ways.extend(whole.then(|| PlanOptions::training(mode).whole_network(true)));
    ways
}

struct Rig<'a> {
    context: &'a Context,
    sample: &'a Sample,
    state: State,
    plan: Plan,
}

impl<'a> Rig<'a> {
    fn new(context: &'a Context, sample: &'a Sample, optimizer: Optimizer, options: PlanOptions) -> Rig<'a> {
        let state = State::new(context, &sample.model, Some(optimizer)).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(context, &sample.model, &state, sample.batch, options).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        Rig { context, sample, state, plan }
    }

    /// A step with that value in the middle of the input, if given; returns the loss.
    fn step(&self, bad: Option<f32>) -> f32 {
        let mut x = self.sample.x.clone();
        let middle = x.len() / 2;
        bad.into_iter().for_each(|bad| x[middle] = bad);
        self.plan.write_input(&x).unwrap();
        submit(self.context, |encoder| self.plan.record_step(encoder, Pass::FULL).unwrap());
        self.context.read_blocking(&[self.plan.loss().unwrap()]).unwrap()[0][0]
    }
}

/// One NaN in one input, between clean steps: that step's loss reports it, and the state from then on, with the step's number.
/// Nothing is reported before.
#[test]
fn one_nan_in_an_input_is_told_once_and_for_all() {
    let mut told_of = 0;
    for (class, bad) in
        DeviceClass::ALL.into_iter().zip([f32::NAN, f32::INFINITY, f32::from_bits(0xffff_ffff)])
    {
        let context = of_class(class);
        let models = [dense(Activation::Relu, Loss::cross_entropy()), images(Loss::cross_entropy())];
        for (index, model) in models.into_iter().enumerate() {
            let sample = Sample::new(model, BATCH, 1);
            for (turn, optimizer) in optimizers().into_iter().enumerate() {
                for options in share_from(ways(optimizer.rule.mode(), index == 0), 3, class as usize + turn) {
                    let what = format!("{class:?} {} {optimizer:?} {options:?}", sample.model.layers().len());
                    let rig = Rig::new(&context, &sample, optimizer, options);
                    for _ in 0..2 {
                        assert!(rig.step(None).is_finite(), "{what}");
                        assert_eq!(rig.state.read_divergence(), Ok(()), "{what}");
                    }
                    // An infinity may saturate an activation; it is then found in the gradient.
                    assert!(!rig.step(Some(bad)).is_finite() || !bad.is_nan(), "{what}");
                    rig.step(None);
                    let counts = optimizer.rule.name() != Optimizer::sgd(0.1).rule.name();
                    assert_eq!(rig.state.read_divergence(), Err(told(counts.then_some(3))), "{what}");
                    told_of += 1;
                    // Writing the parameters resets the word; NaN moments set it again at once.
                    rig.state.write_parameters(&sample.parameters).unwrap();
                    assert_eq!(rig.state.read_divergence(), Ok(()), "{what}");
                }
            }
        }
    }
    // A third of three ways is one; of four it is two where the first is among them.
    assert_eq!(told_of, if spared() { 8 + 2 * 4 + 12 } else { 12 * (4 + 3) });
}

/// Each activation with one loss, each loss at least once, classes in turn, per layer and as a whole network: divergence is reported
/// exactly when a value is not finite, and never if ε prevents that.
#[test]
fn nothing_is_told_without_a_cause() {
    let (beta1, beta2, eps) = (0.9, 0.99, 1e-3);
    let mut diverged = 0;
    for (index, activation) in share(Activation::ALL.into_iter().enumerate(), 3) {
        for (number, loss) in
            losses(6).into_iter().enumerate().filter(|(number, _)| (index + number) % losses(6).len() == 0)
        {
            let class = DeviceClass::ALL[(index + number / 3) % DeviceClass::ALL.len()];
            let context = of_class(class);
            let sample = Sample::new(dense(activation, loss.clone()), BATCH, 7);
            let careful = index % 2 == 0;
            let optimizer = match optimizers()[(index / 2 + number) % 4] {
                Optimizer { rule: Rule::AdaHesScale { .. }, .. } if careful => {
                    Rule::AdaHesScale { beta1, beta2, eps }.at(0.01)
                }
                Optimizer { rule: Rule::AdaHesScaleGn { .. }, .. } if careful => {
                    Rule::AdaHesScaleGn { beta1, beta2, eps }.at(0.01)
                }
                as_published => as_published,
            };
            let all = ways(optimizer.rule.mode(), true);
            let rig = Rig::new(&context, &sample, optimizer, all[(index / 3 + number) % all.len()].clone());
            for _ in 0..6 {
                rig.step(None);
            }
            let told = rig.state.read_divergence();
            let (_, second) = rig.state.moments();
            let tensors: Vec<_> = [rig.state.parameters()].into_iter().chain(second).collect();
            let finite = context.read_blocking(&tensors).unwrap().iter().flatten().all(|x| x.is_finite());
            let what = format!("{activation:?} {loss:?} {class:?} {optimizer:?}: {told:?}");
            assert_eq!(told.is_ok(), finite, "{what}");
            assert!(finite || !careful, "{what}");
            diverged += u32::from(!finite);
        }
    }
    println!("{diverged} diverged");
}

/// The loss with these parameters on a GPU, with this class and way of recording, and on the CPU.
fn loss_of(context: &Context, sample: &Sample, options: PlanOptions) -> [f32; 2] {
    let mode = options.mode;
    let gpu = sample.on(context, options).loss;
    let mut executor = Executor::new(&sample.model, sample.batch, ExecutorOptions::training(mode)).unwrap();
    let cpu = executor.pass(mode, &sample.parameters, &sample.x, sample.targets.view(), Noise::default());
    [gpu, cpu.unwrap()]
}

/// A logit that is NaN, ∞ or −∞ makes the loss NaN or infinite: every loss, few outputs and many, one position and more.
#[test]
fn a_logit_that_is_not_finite_makes_the_loss_so() {
    let last_bias = |model: &Model| model.parameters().last().map(Parameter::range).expect("a bias");
    for outputs in [6, 96] {
        for (turn, loss) in share_from(losses(outputs).into_iter().enumerate(), 2, outputs / 96) {
            let model = Model::builder([4]).dense(8).act(Activation::Relu).dense(outputs).loss(loss).unwrap();
            check_logits(&model, last_bias(&model).start, outputs == 6, turn);
        }
    }
    let each = losses(6).into_iter().filter(|loss| matches!(loss, Loss::SoftmaxCrossEntropy { .. }));
    for (turn, loss) in each.enumerate() {
        let model = positions(loss);
        check_logits(&model, last_bias(&model).start, false, turn);
    }
}

/// In a class, a mode and a way that `turn` chooses.
fn check_logits(model: &Model, bias: usize, whole: bool, turn: usize) {
    let plans: Vec<PlanOptions> = [Mode::HesScale, Mode::None, Mode::HesScaleR2]
        [..if model.positions() > 1 { 2 } else { 3 }]
        .iter()
        .flat_map(|mode| ways(*mode, whole))
        .collect();
    let contexts = of_classes(model, BATCH, Some(Optimizer::sgd(0.0)), &plans);
    // Another class for each loss.
    let index = turn % contexts.len();
    check_logits_on(&contexts[index], model, bias, whole, index + turn);
}

fn check_logits_on(context: &Context, model: &Model, bias: usize, whole: bool, turn: usize) {
    let mut sample = Sample::new(model.clone(), BATCH, 11);
    // No class that is ignored.
    if let OwnedTargets::Classes(classes) = &mut sample.targets {
        classes.iter_mut().for_each(|class| *class = if *class == 1 { 2 } else { *class });
    }
    let mode = [Mode::HesScale, Mode::None, Mode::HesScaleR2]
        [if model.positions() > 1 { turn % 2 } else { turn % 3 }];
    let ways = ways(mode, whole);
    let options = ways[turn % ways.len()].clone();
    let rig = Rig::new(context, &sample, Optimizer::sgd(0.0), options);
    let mut executor = Executor::new(model, BATCH, ExecutorOptions::training(mode)).unwrap();
    for (bad, output) in [(0.5, 0), (f32::NAN, 0), (f32::INFINITY, 5), (f32::NEG_INFINITY, 3)] {
        let mut parameters = sample.parameters.clone();
        parameters[bias + output] = bad;
        rig.state.write_parameters(&parameters).unwrap();
        let gpu = rig.step(None);
        let cpu =
            executor.pass(mode, &parameters, &sample.x, sample.targets.view(), Noise::default()).unwrap();
        let what = format!("{bad} at {output}, {mode:?}, {:?}", model.loss());
        assert!(gpu.is_finite() == bad.is_finite(), "GPU: {gpu} with {what}");
        assert!(cpu.is_finite() == bad.is_finite(), "CPU: {cpu} with {what}");
    }
}

impl Sample {
    fn again(&self) -> Sample {
        let Sample { model, batch, parameters, x, targets } = self;
        let targets = match targets {
            OwnedTargets::Classes(classes) => OwnedTargets::Classes(classes.clone()),
            OwnedTargets::Values(values) => OwnedTargets::Values(values.clone()),
        };
        Sample { model: model.clone(), batch: *batch, parameters: parameters.clone(), x: x.clone(), targets }
    }
}

/// An ignored sample adds exactly zero, whatever its logits, as in PyTorch.
#[test]
fn an_ignored_sample_of_nan_adds_nothing() {
    let loss = Loss::cross_entropy().ignore_index(3);
    for outputs in [6, 96] {
        let model = Model::builder([4]).dense(outputs).loss(loss.clone()).unwrap();
        let mut sample = Sample::new(model, 3, 5);
        sample.targets = OwnedTargets::Classes(vec![0, 3, 2]);
        for bad in [f32::NAN, f32::INFINITY] {
            for mode in [Mode::HesScale, Mode::HesScaleR2] {
                let whole = PlanOptions::training(mode).whole_network(outputs == 6);
                for context in of_classes(&sample.model, 3, None, std::slice::from_ref(&whole)) {
                    let mut spoilt = sample.again();
                    spoilt.x[4..8].fill(bad);
                    let want = loss_of(&context, &sample, whole.clone());
                    let got = loss_of(&context, &spoilt, whole.clone());
                    assert_eq!(got, want, "{mode:?}");
                    // And leaves no signal: the biases' sums have the same bits.
                    let bias = sample.model.parameters()[1].range();
                    let bits =
                        |sample: &Sample| sample.on(&context, whole.clone()).gradient[bias.clone()].to_vec();
                    assert_eq!(bits(&spoilt), bits(&sample), "{mode:?}");
                }
            }
        }
    }
}

/// A finite gradient whose square overflows freezes its parameter at a finite value.
#[test]
fn an_infinite_second_moment_is_told() {
    let sample = Sample::new(dense(Activation::Tanh, Loss::cross_entropy()), BATCH, 1);
    for (optimizer, bad) in [(Optimizer::adam(0.1), 1e25_f32), (Optimizer::ada_hesscale(0.1), -1e25)] {
        let options = PlanOptions::training(optimizer.rule.mode());
        for context in of_classes(&sample.model, BATCH, Some(optimizer), std::slice::from_ref(&options)) {
            let options = options.clone();
            let rig = Rig::new(&context, &sample, optimizer, options);
            let len = rig.state.gradient().len();
            let flat =
                |value: f32| (0..len).map(|i| if i == 77 { value } else { 0.01 }).collect::<Vec<f32>>();
            for (value, want) in [(1.0, Ok(())), (bad, Err(told(Some(2))))] {
                context.write(rig.state.gradient(), &flat(value)).unwrap();
                context.write(rig.state.diagonal(), &flat(value)).unwrap();
                submit(&context, |encoder| rig.plan.record_update(encoder, Pass::FULL).unwrap());
                assert_eq!(rig.state.read_divergence(), want, "{:?} {optimizer:?}", context.class());
            }
            let parameters = context.read_blocking(&[rig.state.parameters()]).unwrap().swap_remove(0);
            assert!(parameters.iter().all(|p| p.is_finite()), "only v tells");
        }
    }
}

/// Storage in f16 preserves NaN and infinity; it is refused if the adapter has no f16.
#[test]
fn storage_in_f16_hides_nothing_where_there_is_f16() {
    let options = |mode| PlanOptions::training(mode).storage(Dtype::F16);
    let request = request(false).features(options(Mode::None).required_features());
    let context = pollster::block_on(Context::request_with(&request)).expect("an adapter");
    let sample = Sample::new(images(Loss::cross_entropy()), BATCH, 1);
    if context.device().features() != request.features {
        let state = State::new(&context, &sample.model, None).unwrap();
        Plan::new(&context, &sample.model, &state, BATCH, options(Mode::HesScale)).unwrap_err();
        not_run("the adapter has no f16");
        return;
    }
    for bad in [f32::NAN, f32::INFINITY] {
        let rig = Rig::new(&context, &sample, Optimizer::adam(0.01), options(Mode::None));
        assert!(rig.step(None).is_finite());
        assert_eq!(rig.state.read_divergence(), Ok(()));
        assert!(!rig.step(Some(bad)).is_finite() || !bad.is_nan());
        assert_eq!(rig.state.read_divergence(), Err(told(Some(2))));
    }
}

fn trainers(optimizer: Optimizer) -> Vec<(String, Trainer)> {
    let model = dense(Activation::Relu, Loss::cross_entropy());
    let options = || TrainerOptions::default().seed(5);
    let gpu = |context: Context| {
        (format!("{:?}", context.class()), Trainer::new(&context, &model, optimizer, options()).unwrap())
    };
    // What a trainer plans.
    let plans = [PlanOptions::training(optimizer.rule.mode()).fused_update(), PlanOptions::inference()];
    let mut all = vec![("CPU".into(), Trainer::on_cpu(&model, optimizer, options()).unwrap())];
    all.extend(of_classes(&model, BATCH, Some(optimizer), &plans).into_iter().map(gpu));
    all
}

/// The trainer on a GPU and on the CPU: reported with the loss; the checkpoint is not overwritten and restores training.
#[test]
fn trainers_tell() {
    let sample = Sample::new(dense(Activation::Relu, Loss::cross_entropy()), BATCH, 1);
    let targets = || sample.targets.view();
    for optimizer in optimizers() {
        for (name, mut trainer) in trainers(optimizer) {
            let path = std::env::temp_dir().join(format!(
                "hesscale_diverged_{}_{name}_{}",
                std::process::id(),
                optimizer.rule.name()
            ));
            trainer.step(&sample.x, targets()).unwrap();
            let first = trainer.loss().unwrap();
            trainer.save(&path).unwrap();
            let saved = std::fs::read(&path).unwrap();
            let mut x = sample.x.clone();
            x[9] = f32::NAN;
            trainer.step(&x, targets()).unwrap();
            let got = trainer.loss().unwrap_err();
            for _ in 0..19 {
                trainer.step(&sample.x, targets()).unwrap();
            }
            for got in
                [got, trainer.loss().unwrap_err(), pollster::block_on(trainer.loss_async()).unwrap_err()]
            {
                // SGD counts no steps on a GPU.
                let Error::Diverged { step, .. } = got else { panic!("{name}: {got}") };
                assert!(step.is_none_or(|step| step == 2), "{name} {step:?}");
                assert!(step.is_some() || optimizer.rule.name() == "sgd", "{name}");
            }
            let Err(Error::Diverged { what: "a parameter", .. }) = trainer.save(&path) else {
                panic!("{name}")
            };
            assert_eq!(std::fs::read(&path).unwrap(), saved, "{name}: the file is as it was");
            assert!(trainer.predict(&sample.x).unwrap().iter().any(|z| z.is_nan()), "{name}");
            let OwnedTargets::Classes(classes) = &sample.targets else { panic!("classes") };
            let data = Dataset::new(sample.x.clone(), 8, Labels::Classes(classes.clone())).unwrap();
            let Err(Error::Diverged { .. }) = trainer.evaluate(&data, BATCH) else { panic!("{name}") };
            trainer.load(&path).unwrap();
            trainer.step(&sample.x, targets()).unwrap();
            assert!(trainer.loss().unwrap() < first, "{name}");
            trainer.evaluate(&data, BATCH).unwrap();
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// One NaN among the parameters is reported with the first loss, and by `save` before that.
#[test]
fn a_parameter_of_nan_is_told() {
    let sample = Sample::new(dense(Activation::Relu, Loss::cross_entropy()), BATCH, 1);
    for (name, mut trainer) in trainers(Optimizer::adam(0.01)) {
        let mut parameters = trainer.parameters().unwrap();
        parameters[3] = f32::NAN;
        trainer.set_parameters(&parameters).unwrap();
        let nowhere = std::env::temp_dir().join(format!("hesscale_nan_{}", std::process::id()));
        let Err(Error::Diverged { .. }) = trainer.save(&nowhere) else { panic!("{name}") };
        assert!(!nowhere.exists());
        trainer.gradient(&sample.x, sample.targets.view()).unwrap();
        let got = trainer.loss().unwrap_err();
        assert_eq!(got, Error::Diverged { what: "the loss", step: Some(0) }, "{name}");
        trainer.step(&sample.x, sample.targets.view()).unwrap();
        assert_eq!(trainer.loss().unwrap_err(), told(Some(1)), "{name}");
    }
}

/// Non-finite value targets show in the loss.
#[test]
fn targets_that_are_not_finite_are_told() {
    let of_numbers = losses(6).into_iter().filter(|loss| !loss.takes_classes());
    for (turn, loss) in of_numbers.enumerate() {
        for bad in share_from([f32::NAN, f32::INFINITY], 2, turn) {
            let mut sample = Sample::new(dense(Activation::Tanh, loss.clone()), BATCH, 2);
            let OwnedTargets::Values(values) = &mut sample.targets else { panic!("numbers") };
            values[7] = bad;
            let ways = ways(Mode::HesScale, true);
            // Another way in each class.
            let contexts = of_classes(&sample.model, BATCH, None, &ways);
            for (index, context) in share_from(contexts.iter().enumerate(), 3, turn) {
                let options = ways[(index + turn) % ways.len()].clone();
                let got = loss_of(context, &sample, options);
                assert!(got.iter().all(|loss| !loss.is_finite()), "{loss:?} {bad}: {got:?}");
            }
        }
    }
}

#[test]
fn the_message_says_when() {
    let text = "a parameter or what the optimiser keeps is not finite since step 3: training has diverged, or what it was given is not finite";
    assert_eq!(told(Some(3)).to_string(), text);
    assert!(told(None).to_string().starts_with("a parameter or what the optimiser keeps is not finite: "));
    assert_eq!(State::check_divergence(0.0), Ok(()));
    let word = |step: u32| f32::from_bits(0x3fff_ffff - step);
    assert_eq!(State::check_divergence(word(3)), Err(told(Some(3))));
    assert_eq!(State::check_divergence(word(0)), Err(told(None)));
    let state = State::new(&context(), &dense(Activation::Relu, Loss::cross_entropy()), None).unwrap();
    assert!(state.divergence().is_none() && state.read_divergence().is_ok());
}
