//! Checkpoints: training resumes bit for bit, and an invalid file changes nothing.

mod files;
mod settings;
#[path = "../common/signed.rs"]
mod signed;

use hesscale::model::{
    BatchNorm, Conv2d, CustomActivation, CustomLoss, Group, Groups, MaxPool2d, PRelu, Rule, Schedule,
    Targets, Term,
};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Context, Error, Loss, Mode, Model, Optimizer, Request, Result};
use safetensors::SafeTensors;
use signed::Entries;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const BATCH: usize = 7;

/// `HESSCALE_ADAPTER` selects one by part of its name.
fn request(checked: bool) -> Request {
    let mut request = Request::from_env();
    request.options.checked = checked;
    request
}

fn context() -> Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    CONTEXT.get_or_init(|| pollster::block_on(Context::request_with(&request(false))).unwrap()).clone()
}

/// An empty directory of the test's own.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkpoint").join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn model() -> Model {
    Model::builder([5]).dense(9).act(Activation::Tanh).dense(3).loss(Loss::cross_entropy()).unwrap()
}

/// A mix of layers: convolution, normalisation of each kind, a block, pooling, dropout within the block and after it.
fn convolutional() -> Model {
    let normalised = BatchNorm::new(vec![0.1, -0.1, 0.0, 0.2], vec![0.5, 1.0, 0.8, 0.6]);
    let convolution = || Conv2d::new(4, 3).same();
    let model = Model::builder([2, 5, 6]).layer(convolution()).layer(normalised).act(Activation::Tanh);
    let batch_norm = BatchNorm::of_batch;
    let model =
        model.residual(|b| b.layer(convolution()).layer(batch_norm()).act(Activation::Tanh).dropout(0.3));
    let model = model.layer(PRelu::per_channel()).name("x").layer(convolution()).plus("x");
    let model = model.group_norm(2).layer(MaxPool2d::new(2)).dropout(0.5).flatten().layer_norm().dense(3);
    model.loss(Loss::cross_entropy()).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Device {
    Gpu,
    Cpu,
}

impl Device {
    fn trainer(self, optimizer: Optimizer, options: TrainerOptions) -> Trainer {
        self.trainer_of(&model(), optimizer, options)
    }

    fn trainer_of(self, model: &Model, optimizer: Optimizer, options: TrainerOptions) -> Trainer {
        match self {
            Device::Gpu => Trainer::new(&context(), model, optimizer, options).unwrap(),
            Device::Cpu => Trainer::on_cpu(model, optimizer, options).unwrap(),
        }
    }
}

/// Steps, each on a batch determined by the seed and its number; the learning rate falls at every third.
fn train(trainer: &mut Trainer, steps: usize) {
    for _ in 0..steps {
        let mut random = fastrand::Rng::with_seed(trainer.seed() << 32 | trainer.steps());
        let inputs: Vec<f32> =
            (0..BATCH * trainer.model().inputs()).map(|_| random.f32() * 2.0 - 1.0).collect();
        let classes: Vec<u32> = (0..BATCH).map(|_| random.u32(..3)).collect();
        trainer.step(&inputs, Targets::Classes(&classes)).unwrap();
        if trainer.steps().is_multiple_of(3) {
            trainer.set_learning_rate(0.7 * trainer.optimizer().learning_rate).unwrap();
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// With running statistics behind them.
fn parameters(trainer: &Trainer) -> Vec<u32> {
    bits(&[trainer.parameters().unwrap(), trainer.statistics().unwrap()].concat())
}

fn cases() -> Vec<(Optimizer, TrainerOptions)> {
    let momentum = Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.1).weight_decay(0.01);
    let default = || TrainerOptions::default().seed(11);
    vec![
        (Optimizer::sgd(0.1), default()),
        (momentum, default()),
        (Optimizer::adam(0.01), default()),
        (Optimizer::ada_hesscale(0.003), default()),
        (Optimizer::ada_hesscale(0.003), default().curvature_every(2).mode(Mode::HesScaleR1)),
        (Optimizer::ada_hesscale_gn(0.003).weight_decay(0.1), default().curvature_every(3)),
        (Optimizer::ada_hesscale(0.003).unlimited(), default()),
        (
            Optimizer::sophia(0.003).average(0.8).clip_gradient_norm(0.1),
            default().schedule(
                Schedule::warm_up(3)
                    .then(4, Schedule::step(1, 0.9))
                    .then(9, Schedule::Constant { factor: 0.5 }),
            ),
        ),
        (
            Optimizer::lion(0.003).average(0.8),
            default().groups(
                Groups::new().with("*.bias", Group::new().rate(2.0)).with("0.*", Group::new().frozen()),
            ),
        ),
        (Optimizer::rmsprop(0.003), default()),
        (Optimizer::obgd(0.5).trace(0.5), default()),
        (Optimizer::adaptive_obgd(0.01), default()),
        (Optimizer::upgd(0.1).trace(0.9).seed(5), default().curvature_every(2)),
    ]
}

fn goes_on_bit_for_bit(device: Device, test: &str) {
    let path = directory(test).join("training.safetensors");
    for (optimizer, options) in cases() {
        let mut whole = device.trainer(optimizer, options.clone());
        train(&mut whole, 10);

        let mut first = device.trainer(optimizer, options.clone());
        train(&mut first, 5);
        first.save(&path).unwrap();
        // Another start and another learning rate: the file's are what counts.
        let other = optimizer.learning_rate(1.0);
        let mut second = device.trainer(other, options.seed(3));
        assert_ne!(parameters(&first), parameters(&second));
        second.load(&path).unwrap();
        assert_eq!((second.steps(), second.seed()), (5, 11));
        assert_eq!((parameters(&first), first.optimizer()), (parameters(&second), second.optimizer()));
        assert!(matches!(second.loss(), Err(Error::NotPlanned { .. })));
        train(&mut second, 5);

        assert_eq!(second.steps(), 10);
        assert_eq!(parameters(&whole), parameters(&second), "{optimizer:?}");
        assert_eq!(whole.loss().unwrap().to_bits(), second.loss().unwrap().to_bits());

        // Without the moments the result would differ.
        if !matches!(optimizer.rule, Rule::Sgd { momentum: 0.0, .. }) {
            let mut fresh = device.trainer(*first.optimizer(), TrainerOptions::default().seed(11));
            fresh.set_parameters(&first.parameters().unwrap()).unwrap();
            train(&mut first, 1);
            train(&mut fresh, 1);
            assert_ne!(parameters(&first), parameters(&fresh), "{optimizer:?}");
        }
    }
}

/// The error of loading a file at this path.
fn problem(outcome: Result<()>, path: &Path) -> String {
    match outcome {
        Err(Error::File { path: named, problem, .. }) if named == path => problem,
        other => panic!("{other:?}"),
    }
}

/// A trainer's externally visible state: now, and after further steps.
fn fingerprint(
    trainer: &mut Trainer,
    path: &Path,
) -> (Vec<u32>, Optimizer, u64, u64, HashMap<String, String>) {
    trainer.save(path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let entries = header.metadata().clone().unwrap().into_iter().collect();
    (parameters(trainer), *trainer.optimizer(), trainer.steps(), trainer.seed(), entries)
}

/// Changes a checkpoint's entries, under a checksum that is right or the old one.
fn rewrite(path: &Path, sign: bool, change: impl Fn(&mut Entries)) {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let tensors = tensors.iter().map(|(name, view)| (name.as_str(), view.clone())).collect();
    let mut entries = signed::entries(&bytes);
    change(&mut entries);
    let file = if sign { signed::file(entries, tensors) } else { signed::unsigned(entries, tensors) };
    std::fs::write(path, file).unwrap();
}

#[test]
fn goes_on_bit_for_bit_on_the_gpu() {
    goes_on_bit_for_bit(Device::Gpu, "gpu");
}

#[test]
fn goes_on_bit_for_bit_on_the_reference() {
    goes_on_bit_for_bit(Device::Cpu, "cpu");
}

/// Dropout drops the same elements as without the interruption.
#[test]
fn dropout_goes_on() {
    let path = directory("dropout").join("training.safetensors");
    let (model, optimizer) = (convolutional(), Optimizer::ada_hesscale(0.01));
    let options = || TrainerOptions::default().seed(11 << 40 | 5).curvature_every(2);
    for device in [Device::Gpu, Device::Cpu] {
        let mut whole = device.trainer_of(&model, optimizer, options());
        train(&mut whole, 5);
        let mut first = device.trainer_of(&model, optimizer, options());
        train(&mut first, 3);
        first.save(&path).unwrap();
        let mut second = device.trainer_of(&model, optimizer, options().seed(3));
        second.load(&path).unwrap();
        train(&mut second, 2);
        assert_eq!(parameters(&second), parameters(&whole), "{device:?}");

        // Passes that only look draw none of the following random numbers.
        first.load(&path).unwrap();
        let (inputs, classes) = (vec![0.5; BATCH * model.inputs()], [1; BATCH]);
        first.gradient(&inputs, Targets::Classes(&classes)).unwrap();
        train(&mut first, 2);
        assert_eq!(parameters(&first), parameters(&whole), "{device:?}");
    }
}

/// The two devices draw the same random numbers, and count them alike.
#[test]
fn dropout_is_the_same_everywhere() {
    let path = directory("everywhere").join("training.safetensors");
    // No small diagonal in a denominator amplifies rounding here.
    let (model, optimizer) = (convolutional(), Rule::Sgd { momentum: 0.9, nesterov: false }.at(0.2));
    let options = || TrainerOptions::default().seed(5).mode(Mode::HesScale);
    let distance = |a: &Trainer, b: &Trainer| {
        let (a, b) = (a.parameters().unwrap(), b.parameters().unwrap());
        a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let trainer = |device: Device| device.trainer_of(&model, optimizer, options());
    let (mut gpu, mut cpu) = (trainer(Device::Gpu), trainer(Device::Cpu));
    train(&mut gpu, 4);
    train(&mut cpu, 4);
    assert!(distance(&gpu, &cpu) < 1e-5, "{}", distance(&gpu, &cpu));

    cpu.save(&path).unwrap();
    gpu.load(&path).unwrap();
    train(&mut gpu, 2);
    train(&mut cpu, 2);
    assert!(distance(&gpu, &cpu) < 1e-5, "{}", distance(&gpu, &cpu));
    // Different random numbers would be detected.
    let mut other = Device::Cpu.trainer_of(&model, optimizer, options().seed(6));
    other.set_parameters(&trainer(Device::Cpu).parameters().unwrap()).unwrap();
    train(&mut other, 6);
    assert!(distance(&other, &cpu) > 1e-3, "{}", distance(&other, &cpu));
}

#[test]
fn notes_come_along() {
    let path = directory("notes").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::sgd(0.1), TrainerOptions::default());
    assert!(trainer.notes().is_empty());
    trainer.set_note("batch", 64);
    trainer.set_note("data", "\"digits\"\n");
    trainer.set_note("batch", BATCH);
    trainer.save(&path).unwrap();
    let mut other = Device::Cpu.trainer(Optimizer::sgd(0.1), TrainerOptions::default());
    other.set_note("own", "");
    other.load(&path).unwrap();
    assert_eq!(other.notes(), trainer.notes());
    let notes: Vec<_> = other.notes().iter().map(|(name, note)| (name.as_str(), note.as_str())).collect();
    assert_eq!(notes, [("batch", "7"), ("data", "\"digits\"\n")]);
}

#[test]
fn loading_into_the_trainer_that_saved_takes_it_back() {
    let path = directory("back").join("training.safetensors");
    for device in [Device::Gpu, Device::Cpu] {
        let mut trainer = device.trainer(Optimizer::ada_hesscale(0.01), TrainerOptions::default());
        train(&mut trainer, 4);
        trainer.save(&path).unwrap();
        train(&mut trainer, 3);
        let there = parameters(&trainer);
        trainer.load(&path).unwrap();
        train(&mut trainer, 3);
        assert_eq!(parameters(&trainer), there);
    }
}

/// The same content, to the bit, whichever device it came through.
#[test]
fn files_move_between_devices() {
    let directory = directory("devices");
    let (from, to) = (directory.join("from"), directory.join("to"));
    for (optimizer, options) in cases() {
        for (here, there) in [(Device::Gpu, Device::Cpu), (Device::Cpu, Device::Gpu)] {
            let mut trainer = here.trainer(optimizer, options.clone());
            train(&mut trainer, 5);
            trainer.save(&from).unwrap();
            let mut other = there.trainer(optimizer, options.clone());
            other.load(&from).unwrap();
            other.save(&to).unwrap();
            let read = |path: &Path| {
                let bytes = std::fs::read(path).unwrap();
                let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
                let tensors = SafeTensors::deserialize(&bytes).unwrap();
                let data: Vec<_> =
                    tensors.iter().map(|(name, t)| (name.to_owned(), t.data().to_vec())).collect();
                (header.metadata().clone(), data.into_iter().collect::<HashMap<_, _>>())
            };
            assert_eq!(read(&from), read(&to));
        }
    }
}

/// Counts saturate, and such checkpoints can be loaded. A wrapped count is never a divisor.
#[test]
fn counts_do_not_begin_anew() {
    let directory = directory("counts");
    let (path, again) = (directory.join("training.safetensors"), directory.join("again"));
    for (optimizer, options) in cases() {
        for device in [Device::Gpu, Device::Cpu] {
            for count in [u64::from(u32::MAX) - 5, u64::from(u32::MAX), 1 << 40, u64::MAX - 5, u64::MAX] {
                let mut trainer = device.trainer(optimizer, options.clone());
                train(&mut trainer, 3);
                trainer.save(&path).unwrap();
                rewrite(&path, true, |entries| {
                    entries.insert("steps".into(), count.to_string());
                    entries.insert("curvature_steps".into(), count.to_string());
                });
                trainer.load(&path).unwrap();
                assert_eq!(trainer.steps(), count);
                let before = trainer.parameters().unwrap();
                train(&mut trainer, 10);
                assert_eq!(trainer.steps(), count.saturating_add(10));
                let after = trainer.parameters().unwrap();
                assert!(after.iter().all(|x| x.is_finite()), "{device:?} {optimizer:?} {count}");
                assert_ne!(before, after, "{device:?} {optimizer:?} {count}");
                trainer.save(&again).unwrap();
                for other in [Device::Gpu, Device::Cpu] {
                    let mut other = other.trainer(optimizer, options.clone());
                    other.load(&again).unwrap();
                    assert_eq!(
                        (other.steps(), other.parameters().unwrap()),
                        (trainer.steps(), after.clone())
                    );
                }
            }
        }
    }
}

/// Dropout's count wraps around, equally on both devices: it is only hashed.
#[test]
fn the_count_of_noise_goes_round() {
    let path = directory("noise").join("training.safetensors");
    let model = convolutional();
    let trainer =
        |device: Device| device.trainer_of(&model, Optimizer::sgd(0.1), TrainerOptions::default().seed(5));
    let mut ends = Vec::new();
    for device in [Device::Gpu, Device::Cpu] {
        let mut first = trainer(device);
        first.save(&path).unwrap();
        rewrite(&path, true, |entries| drop(entries.insert("noise_step".into(), u32::MAX.to_string())));
        first.load(&path).unwrap();
        train(&mut first, 2);
        first.save(&path).unwrap();
        rewrite(&path, false, |entries| assert_eq!(entries["noise_step"], "1"));
        trainer(device).load(&path).unwrap();
        ends.push(first.parameters().unwrap());
    }
    let far = ends[0].iter().zip(&ends[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-5, "{far}");
}

/// The file has texts of the user's own; the closures stay those of the trainer that loads it.
#[test]
fn texts_of_the_users_own_resume() {
    let path = directory("own").join("training.safetensors");
    let text = |name: &str, wgsl: &str| CustomActivation::new(name, wgsl).unwrap();
    let act_d = "fn act_d(a: f32) -> vec2<f32> { return vec2(2.0 * a, 2.0); }";
    let square = text("square", &format!("fn act(a: f32) -> f32 {{ return a * a; }} {act_d}"));
    let of = |square: CustomActivation| {
        let loss = "fn term(z: f32, y: f32) -> Term { return Term((z - y) * (z - y), 2.0 * (z - y), 2.0); }";
        let loss = CustomLoss::elementwise("squared", loss).unwrap();
        let loss = loss.on_cpu(|z, y| Term { value: (z - y).powi(2), g: 2.0 * (z - y), h: 2.0 });
        let act = square.on_cpu(|a| [a * a, 2.0 * a, 2.0]);
        Model::builder([5]).dense(9).act(act).dense(3).loss(loss).unwrap()
    };
    let steps = |trainer: &mut Trainer, count: usize| {
        for step in 0..count {
            let mut random = fastrand::Rng::with_seed(step as u64);
            let [inputs, targets] =
                [5, 3].map(|width| (0..BATCH * width).map(|_| random.f32()).collect::<Vec<_>>());
            trainer.step(&inputs, Targets::Values(&targets)).unwrap();
        }
    };
    for device in [Device::Cpu, Device::Gpu] {
        let new = |model: &Model| device.trainer_of(model, Optimizer::adam(0.01), TrainerOptions::default());
        let mut whole = new(&of(square));
        steps(&mut whole, 4);
        whole.save(&path).unwrap();
        let mut resumed = new(&of(square));
        resumed.load(&path).unwrap();
        [&mut whole, &mut resumed].into_iter().for_each(|trainer| steps(trainer, 3));
        assert_eq!(whole.parameters().unwrap(), resumed.parameters().unwrap());
        let other = text("square", &format!("fn act(a: f32) -> f32 {{ return -a * a; }} {act_d}"));
        let problem = problem(new(&of(other)).load(&path), &path);
        assert!(problem.contains("another model: layer 1 is") && problem.contains("-a * a"), "{problem}");
    }
}
