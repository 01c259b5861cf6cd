//! Checkpoints: training resumes bit for bit, and an invalid file changes nothing.

#[path = "common/signed.rs"]
mod signed;

use hesscale::model::{
    BatchNorm, Conv2d, CrossEntropy, CustomActivation, CustomLoss, Group, Groups, MaxPool2d, Rule, Schedule,
    Targets, Term,
};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Context, Error, Loss, Mode, Model, Optimizer, Request, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
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
    let model = model.residual(|body| body.layer(convolution()).act(Activation::Tanh).dropout(0.3));
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

fn parameters(trainer: &Trainer) -> Vec<u32> {
    bits(&trainer.parameters().unwrap())
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

        // Unsaved passes draw different random numbers.
        first.load(&path).unwrap();
        let (inputs, classes) = (vec![0.5; BATCH * model.inputs()], [1; BATCH]);
        first.gradient(&inputs, Targets::Classes(&classes)).unwrap();
        train(&mut first, 2);
        assert_ne!(parameters(&first), parameters(&whole), "{device:?}");
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
    let mut other = trainer(Device::Cpu);
    other.load(&path).unwrap();
    other.gradient(&vec![0.5; BATCH * model.inputs()], Targets::Classes(&[1; BATCH])).unwrap();
    train(&mut other, 2);
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

fn entries_of(path: &Path) -> HashMap<String, String> {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    header.metadata().clone().unwrap().into_iter().collect()
}

/// A file of a version that knew no limits, schedules, groups or averages goes on in a trainer that has them, as that one has them. A
/// file that says that there are none does not.
#[test]
fn files_that_say_nothing_of_limits() {
    let path = directory("older").join("training.safetensors");
    for device in [Device::Cpu, Device::Gpu] {
        let bare = Optimizer::ada_hesscale(0.003).unlimited();
        let mut older = device.trainer(bare, TrainerOptions::default());
        train(&mut older, 3);
        older.save(&path).unwrap();
        let newer = ["average", "groups", "limits", "schedule"];
        assert_eq!(newer.map(|key| entries_of(&path)[key].clone()), ["null", "[]", "{}", "null"]);
        let groups = || Groups::new().with("0.*", Group::new().frozen());
        for (optimizer, options, expected) in [
            (bare.clip_update(3.0), TrainerOptions::default(), "an optimiser without clip_update"),
            (bare.average(0.5), TrainerOptions::default(), "has average null, expected 0.5"),
            (bare, TrainerOptions::default().groups(groups()), "has groups [], expected ["),
        ] {
            let found = problem(device.trainer(optimizer, options).load(&path), &path);
            assert!(found.contains(expected), "{found}");
        }
        let scheduled = TrainerOptions::default().schedule(Schedule::exponential(0.5));
        let mut trainer = device.trainer(bare, scheduled);
        trainer.load(&path).unwrap();
        assert_eq!(trainer.schedule(), None);
        trainer.set_schedule(Some(Schedule::step(2, 0.5))).unwrap();
        assert_eq!(trainer.learning_rate(), 0.5 * older.optimizer().learning_rate);
        rewrite(&path, true, |entries| entries.retain(|key, _| !newer.contains(&key.as_str())));

        let groups = Groups::new().with("0.*", Group::new().frozen());
        let options = TrainerOptions::default().groups(groups.clone()).schedule(Schedule::exponential(0.5));
        let mut newer = device.trainer(bare.clip_update(3.0).average(0.5), options);
        newer.load(&path).unwrap();
        assert_eq!(parameters(&newer), parameters(&older));
        assert_eq!(bits(&newer.averaged_parameters().unwrap()), parameters(&older));
        assert_eq!(newer.optimizer().limits, bare.clip_update(3.0).limits);
        assert_eq!((newer.groups(), newer.schedule()), (&groups, Some(&Schedule::exponential(0.5))));
        assert_eq!(newer.learning_rate(), 0.125 * older.optimizer().learning_rate);
        let frozen = model().parameters()[0].range();
        train(&mut newer, 2);
        assert_eq!(parameters(&newer)[frozen.clone()], parameters(&older)[frozen]);
        assert_ne!(parameters(&newer), parameters(&older));
    }
}

/// Numbers that may change come from the file; what a trainer is made for must be the file's.
#[test]
fn limits_groups_and_averages_of_a_file() {
    let path = directory("limits").join("training.safetensors");
    let (optimizer, groups) =
        (Optimizer::ada_hesscale(0.01).average(0.5), Groups::new().with("0.*", Group::new().rate(0.5)));
    let options = || TrainerOptions::default().groups(groups.clone());
    for device in [Device::Cpu, Device::Gpu] {
        let mut saved = device.trainer(optimizer, options().schedule(Schedule::step(2, 0.5)));
        train(&mut saved, 3);
        saved.set_limits(optimizer.clip_update(0.25).limits).unwrap();
        assert!(matches!(saved.set_limits(optimizer.trust(1.0).limits), Err(Error::NotPlanned { .. })));
        saved.save(&path).unwrap();
        let mut other = device.trainer(optimizer.clip_update(7.0), options());
        other.load(&path).unwrap();
        assert_eq!(other.optimizer(), saved.optimizer());
        assert_eq!(other.schedule(), saved.schedule());
        assert_eq!(bits(&other.averaged_parameters().unwrap()), bits(&saved.averaged_parameters().unwrap()));
        train(&mut other, 3);
        train(&mut saved, 3);
        assert_eq!(parameters(&other), parameters(&saved));
        for (optimizer, options, expected) in [
            (optimizer.unlimited(), options(), "the limit clip_update"),
            (optimizer.trust(1.0), options(), "an optimiser without trust"),
            (optimizer.average(0.75), options(), "has average 0.5, expected 0.75"),
            (Optimizer::ada_hesscale(0.01), options(), "has average 0.5, expected null"),
            (optimizer, TrainerOptions::default(), "has groups ["),
        ] {
            let found = problem(device.trainer(optimizer, options).load(&path), &path);
            assert!(found.contains(expected), "{found}");
        }
    }
}

#[test]
fn the_file_is_plain_safetensors() {
    let path = directory("plain").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default().seed(5));
    train(&mut trainer, 2);
    trainer.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort_unstable();
    let of =
        |prefix: &str| ["0.bias", "0.weight", "2.bias", "2.weight"].map(|name| format!("{prefix}{name}"));
    assert_eq!(names, [of(""), of("m."), of("v.")].concat());
    assert_eq!(tensors.tensor("v.2.weight").unwrap().shape(), [3, 9]);
    let weight = tensors.tensor("2.weight").unwrap();
    let numbers: Vec<f32> = weight.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let model = model();
    assert_eq!(numbers, trainer.parameters().unwrap()[model.parameters()[2].range()]);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let entry = |key: &str| header.metadata().as_ref().unwrap()[key].clone();
    assert_eq!(
        (entry("steps"), entry("seed"), entry("learning_rate")),
        ("2".into(), "5".into(), "0.01".into())
    );
    assert_eq!(Model::from_json(&entry("model")).unwrap(), model);
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

/// Every byte counts: a file with one changed, or without its end, is refused, and nothing changes.
#[test]
fn damaged_files() {
    let directory = directory("damaged");
    let (path, spare) = (directory.join("training.safetensors"), directory.join("spare"));
    let model = Model::builder([2]).dense(2).loss(Loss::mse()).unwrap();
    let trainer = |seed| {
        let options = TrainerOptions::default().seed(seed);
        let mut trainer = Trainer::on_cpu(&model, Optimizer::ada_hesscale(0.1), options).unwrap();
        trainer.step(&[1.0, -2.0], Targets::Values(&[0.5, 3.0])).unwrap();
        trainer
    };
    trainer(1).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut other = trainer(2);
    let before = fingerprint(&mut other, &spare);

    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        problem(other.load(&path), &path);
    }
    for len in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(problem(other.load(&path), &path).starts_with("is damaged or no safetensors file"));
    }
    std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    assert!(problem(other.load(&path), &path).starts_with("is damaged or no safetensors file"));
    let missing = directory.join("missing");
    assert!(problem(other.load(&missing), &missing).starts_with("cannot be read"));
    assert!(problem(other.load(&directory), &directory).starts_with("cannot be read"));
    assert_eq!(fingerprint(&mut other, &spare), before);

    std::fs::write(&path, &whole).unwrap();
    other.load(&path).unwrap();
    assert_ne!(fingerprint(&mut other, &spare), before);
}

/// Whole files with other tensors in them than a checkpoint has.
#[test]
fn other_tensors() {
    let path = directory("tensors").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    trainer.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let zeros = [0; 9 * 5 * 4];
    for (name, other, expected) in [
        ("0.weight", None, "has no tensor `0.weight`"),
        ("v.2.bias", None, "has no tensor `v.2.bias`"),
        ("0.weight", Some((Dtype::F32, vec![5, 9])), "`0.weight` is F32 [5, 9], expected F32 [9, 5]"),
        ("m.2.bias", Some((Dtype::I32, vec![3])), "`m.2.bias` is I32 [3], expected F32 [3]"),
        ("4.bias", Some((Dtype::F32, vec![3])), "has 13 tensors, expected 12"),
        ("2.bias", Some((Dtype::F32, vec![3])), ""),
    ] {
        let kept = tensors.iter().filter(|(kept, _)| *kept != name);
        let other = other.map(|(dtype, shape)| {
            let bytes = 4 * shape.iter().product::<usize>();
            (name, TensorView::new(dtype, shape, &zeros[..bytes]).unwrap())
        });
        let file = signed::file(signed::entries(&bytes), kept.chain(other).collect());
        std::fs::write(&path, file).unwrap();
        match expected {
            // The last is what was there before.
            "" => trainer.load(&path).unwrap(),
            expected => assert_eq!(problem(trainer.load(&path), &path), expected),
        }
    }
    let file = safetensors::serialize(tensors.iter(), None).unwrap();
    std::fs::write(&path, file).unwrap();
    assert_eq!(problem(trainer.load(&path), &path), "is no checkpoint: its metadata have no `format`");
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

/// Nothing in a file is trusted before its checksum is verified, and moving bytes between entries changes the checksum.
#[test]
fn the_checksum_comes_first_and_knows_where_texts_end() {
    let path = directory("checksum").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    trainer.set_note("a", "b");
    trainer.save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    rewrite(&path, true, |_| ());
    trainer.load(&path).unwrap();
    let change = |sign, change: &dyn Fn(&mut Entries)| {
        std::fs::write(&path, &whole).unwrap();
        rewrite(&path, sign, change);
    };

    // The same bytes one after the other: a key's end becomes its value's beginning.
    change(false, &|entries| {
        let seed = entries.remove("seed").unwrap();
        entries.insert("see".into(), format!("d{seed}"));
    });
    assert!(problem(trainer.load(&path), &path).starts_with("is damaged: its checksum is"));
    // An unreadable model is not examined.
    let model = |entries: &mut Entries| drop(entries.insert("model".into(), "{".into()));
    change(false, &model);
    assert!(problem(trainer.load(&path), &path).starts_with("is damaged: its checksum is"));
    change(true, &model);
    assert!(problem(trainer.load(&path), &path).starts_with("its model cannot be read"));
    change(true, &|entries| drop(entries.insert("clip".into(), "1".into())));
    assert_eq!(problem(trainer.load(&path), &path), "has an entry `clip`, which this version does not know");
    change(true, &|entries| drop(entries.insert("format".into(), "hesscale checkpoint 1".into())));
    let expected =
        "is a `hesscale checkpoint 1`, which this version does not read: expected `hesscale checkpoint 2`";
    assert_eq!(problem(trainer.load(&path), &path), expected);
}

/// Reading a model from a file, even with a valid checksum, takes time and memory bounded by the file's length.
#[test]
fn models_in_files_are_bounded() {
    let path = directory("bounded").join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    let identities = |count| vec![r#"{"type":"identity"}"#; count].join(",");
    let model = |input: &str, layers: &str| {
        format!(r#"{{"input":[{input}],"layers":[{layers}],"loss":{{"type":"mse"}}}}"#)
    };
    for (text, expected) in [
        (model(&vec!["1"; 20_000].join(","), &identities(20_000)), "more than 16384 layers"),
        (model(&vec!["1"; 20_000].join(","), &identities(1)), "the number of dimensions is 20000"),
        (model("1", &identities(200_000)), "more than 16384 layers"),
    ] {
        trainer.save(&path).unwrap();
        rewrite(&path, true, |entries| drop(entries.insert("model".into(), text.clone())));
        let begin = std::time::Instant::now();
        let found = problem(trainer.load(&path), &path);
        assert!(found.starts_with("its model cannot be read") && found.contains(expected), "{found}");
        assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
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

/// What exists at a path is preserved or left alone.
#[cfg(unix)]
#[test]
fn links_modes_and_what_is_no_file() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = directory("special");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    train(&mut trainer, 1);
    let (file, link, far) = (directory.join("file"), directory.join("link"), directory.join("far"));

    // A link, to a link, to a file that is not there yet, in another directory.
    let elsewhere = directory.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    symlink("far", &link).unwrap();
    symlink("elsewhere/file", &far).unwrap();
    for steps in 1..3 {
        trainer.save(&link).unwrap();
        for link in [&link, &far] {
            assert!(link.symlink_metadata().unwrap().is_symlink());
        }
        assert!(elsewhere.join("file").symlink_metadata().unwrap().is_file());
        let mut other = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
        other.load(&link).unwrap();
        assert_eq!(other.steps(), steps);
        train(&mut trainer, 1);
    }
    let circle = directory.join("circle");
    symlink("circle", &circle).unwrap();
    assert!(problem(trainer.save(&circle), &circle).starts_with("cannot be written"));

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    trainer.save(&file).unwrap();
    for kept in [0o600, 0o640, 0o400, 0o666] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(kept)).unwrap();
        trainer.save(&file).unwrap();
        assert_eq!(mode(&file), kept);
    }

    // A device, through a link too; a FIFO, which would keep a reader waiting; a socket; a directory.
    let (fifo, socket) = (directory.join("fifo"), directory.join("socket"));
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let null = directory.join("null");
    symlink("/dev/null", &null).unwrap();
    for (path, kind) in [
        (Path::new("/dev/null"), "a device"),
        (&null, "a device"),
        (&fifo, "a FIFO"),
        (&socket, "a socket"),
        (&elsewhere, "a directory"),
    ] {
        let before = path.symlink_metadata().unwrap().file_type();
        for outcome in [trainer.save(path), trainer.load(path), Trainer::can_save(path)] {
            let found = problem(outcome, path);
            assert!(found.ends_with(&format!("it is {kind}, and no plain file")), "{found}");
        }
        assert_eq!(path.symlink_metadata().unwrap().file_type(), before);
    }
}

/// Problems of saving are reported before training.
#[test]
fn whether_a_file_can_be_saved_is_told() {
    let directory = directory("told");
    let path = directory.join("training.safetensors");
    Trainer::can_save(&path).unwrap();
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "nothing is left");
    for path in [directory.join("no").join("file"), path.join("")] {
        assert!(problem(Trainer::can_save(&path), &path).starts_with("cannot be written"));
    }
    std::fs::write(&path, "as it was").unwrap();
    Trainer::can_save(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "as it was");
    let within = path.join("file");
    assert!(problem(Trainer::can_save(&within), &within).starts_with("cannot be written"));
}

#[test]
fn other_settings() {
    let directory = directory("settings");
    let (path, spare) = (directory.join("training.safetensors"), directory.join("spare"));
    let (optimizer, options) = (Optimizer::ada_hesscale(0.01), TrainerOptions::default());
    let mut saved = Device::Cpu.trainer(optimizer, options.clone());
    train(&mut saved, 1);
    saved.save(&path).unwrap();

    let network = |hidden, act, loss: CrossEntropy| {
        Model::builder([5]).dense(hidden).act(act).dense(3).loss(loss).unwrap()
    };
    let (tanh, loss) = (Activation::Tanh, Loss::cross_entropy());
    let smoothed = loss.clone().label_smoothing(0.1);
    let deeper = Model::builder([5]).dense(9).act(tanh).dense(3).act(tanh).loss(loss.clone()).unwrap();
    let beta = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-8 }.at(0.01);
    let same = || options.clone();
    for (model, optimizer, options, expected) in [
        (network(8, tanh, loss.clone()), optimizer, same(), "is of another model: layer 0 is"),
        (network(9, Activation::Relu, loss.clone()), optimizer, same(), "is of another model: layer 1 is"),
        (deeper, optimizer, same(), "is of another model: 3 layers, expected 4"),
        (network(9, tanh, smoothed), optimizer, same(), "is of another model: loss"),
        (model(), Optimizer::adam(0.01), same(), "has optimizer {"),
        (model(), beta, same(), "has optimizer {"),
        (model(), optimizer.weight_decay(0.5), same(), "has optimizer {"),
        (model(), optimizer, same().mode(Mode::HesScaleR1), "has mode \"hes_scale\", expected"),
        (model(), optimizer, same().curvature_every(2), "has curvature_every 1, expected 2"),
    ] {
        let mut trainer = Trainer::on_cpu(&model, optimizer, options).unwrap();
        let before = fingerprint(&mut trainer, &spare);
        let found = problem(trainer.load(&path), &path);
        assert!(found.starts_with(expected), "{found}");
        assert_eq!(fingerprint(&mut trainer, &spare), before);
    }
}

/// Non-finite values are not saved, and the existing checkpoint stays.
#[test]
fn not_finite() {
    let path = directory("not_finite").join("training.safetensors");
    for device in [Device::Cpu, Device::Gpu] {
        let mut trainer = device.trainer(Optimizer::adam(0.01), TrainerOptions::default());
        train(&mut trainer, 2);
        trainer.save(&path).unwrap();
        let saved = std::fs::read(&path).unwrap();
        let mut numbers = trainer.parameters().unwrap();
        for bad in [f32::NAN, f32::INFINITY] {
            numbers[1] = bad;
            trainer.set_parameters(&numbers).unwrap();
            let refused = Error::Diverged { what: "a parameter", step: None };
            assert_eq!(trainer.save(&path), Err(refused));
            assert_eq!(std::fs::read(&path).unwrap(), saved);
        }
        trainer.load(&path).unwrap();
        train(&mut trainer, 1);
        trainer.loss().unwrap();
    }
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

#[test]
fn saving_leaves_one_whole_file() {
    let directory = directory("atomic");
    let path = directory.join("training.safetensors");
    let mut trainer = Device::Cpu.trainer(Optimizer::adam(0.01), TrainerOptions::default());
    for _ in 0..3 {
        train(&mut trainer, 1);
        trainer.save(&path).unwrap();
        let names: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["training.safetensors"]);
    }
    trainer.load(&path).unwrap();
    assert_eq!(trainer.steps(), 3);

    let nowhere = directory.join("nowhere").join("training.safetensors");
    assert!(problem(trainer.save(&nowhere), &nowhere).starts_with("cannot be written"));
    // A directory cannot be replaced; the temporary file beside it is removed again.
    let taken = directory.join("taken");
    std::fs::create_dir_all(taken.join("full")).unwrap();
    assert!(problem(trainer.save(&taken), &taken).starts_with("cannot be written"));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
}
