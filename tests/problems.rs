//! The example `problems`: its networks are the paper's, and its training resumes after an interruption.
#![allow(dead_code)] // what only the example itself uses

#[path = "../examples/common/mod.rs"]
mod common;
#[path = "../examples/problems/options.rs"]
mod options;
#[path = "../examples/problems/problem.rs"]
mod problem;
#[path = "../examples/problems/resume.rs"]
mod resume;
#[path = "../examples/problems/synthetic.rs"]
mod synthetic;
#[path = "../examples/problems/training.rs"]
mod training;

use common::arguments::Arguments;
use common::backend::Device;
use hesscale::train::{Dataset, Trainer, TrainerOptions};
use hesscale::{Activation, Context, Layer, Loss, Model, Optimizer, Request};
use options::{Command, Options};
use problem::{PROBLEMS, Problem};
use std::path::{Path, PathBuf};
use training::{Event, Schedule};

fn problem(name: &str) -> Problem {
    *PROBLEMS.iter().find(|problem| problem.name == name).unwrap()
}

fn network(name: &str) -> Model {
    (problem(name).network)().unwrap()
}

#[test]
fn networks_have_the_papers_sizes() {
    for (name, inputs, outputs, parameters) in [
        ("mnist-mlp", &[784][..], 10, 785_000 + 500_500 + 50_100 + 1_010),
        ("fashion-mlp", &[784], 10, 1_336_610),
        ("cifar10-3c3d", &[3, 32, 32], 10, 370_922),
        ("cifar100-3c3d", &[3, 32, 32], 100, 370_922 + 90 * 257),
        ("cifar100-allcnnc", &[3, 32, 32], 100, 1_387_108),
        ("cifar10-resnet20", &[3, 32, 32], 10, 272_474),
        ("cifar10-resnet20-groups", &[3, 32, 32], 10, 272_474),
        ("cifar10-vit", &[3, 32, 32], 10, 5_362_378),
    ] {
        let model = network(name);
        assert_eq!((model.input_shape(), model.output_shape()), (inputs, &[outputs][..]), "{name}");
        assert_eq!(model.parameter_count(), parameters, "{name}");
    }
}

#[test]
fn the_denoiser_has_its_size_and_takes_noise_out() {
    let of_convolution = |inputs: usize, outputs: usize| 9 * inputs * outputs + 3 * outputs;
    let widths = [
        (3, 32),
        (32, 32),
        (32, 64),
        (64, 64),
        (64, 128),
        (128, 128),
        (192, 64),
        (64, 64),
        (96, 32),
        (32, 32),
    ];
    let convolutions: usize = widths.iter().map(|(inputs, outputs)| of_convolution(*inputs, *outputs)).sum();
    let model = network("cifar10-unet");
    assert_eq!(model.output_shape(), [3, 32, 32]);
    assert_eq!(model.parameter_count(), convolutions + 3 * 32 + 3);

    let model = problem::u_net(8, 8).unwrap();
    let (train, test) = synthetic::dataset(&model, 4).unwrap();
    let (train, test) = (problem::noisy(train, 0.1, 1).unwrap(), problem::noisy(test, 0.1, 2).unwrap());
    let clean = |set: &Dataset| match set.labels() {
        hesscale::train::Labels::Values(clean) => clean.clone(),
        other => panic!("{other:?}"),
    };
    let noise: Vec<f32> = train.inputs().iter().zip(clean(&train)).map(|(x, y)| x - y).collect();
    let mean = noise.iter().sum::<f32>() / noise.len() as f32;
    let deviation = (noise.iter().map(|x| x * x).sum::<f32>() / noise.len() as f32).sqrt();
    assert!(mean.abs() < 0.005 && (0.097..0.103).contains(&deviation), "{mean} {deviation}");
    let mut trainer = Trainer::on_cpu(&model, Optimizer::adam(5e-3), TrainerOptions::default()).unwrap();
    training::run(&mut trainer, (&train, &test), &schedule(8, None), |_, _| Ok(())).unwrap();
    let left = trainer.evaluate(&test, 16).unwrap().loss;
    assert!(left < 0.8 * f64::from(deviation * deviation), "{left}");
}

/// On small images, on the CPU and on whatever adapter there is.
#[test]
fn todays_networks_train_as_on_the_cpu() {
    trains_as_on_the_cpu(problem::resnet_20(8, || hesscale::model::BatchNorm::of_batch().into()).unwrap());
    trains_as_on_the_cpu(problem::vit(12, 4, [24, 3, 2]).unwrap());
    trains_as_on_the_cpu(problem::u_net(8, 6).unwrap());
}

fn trains_as_on_the_cpu(model: Model) {
    let mut random = fastrand::Rng::with_seed(4);
    let x: Vec<f32> = (0..6 * model.inputs()).map(|_| random.f32() * 2.0 - 1.0).collect();
    let optimizer = hesscale::model::Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-2 }.at(1e-3);
    let trained = |mut trainer: Trainer| {
        for _ in 0..3 {
            let targets = match model.loss().takes_classes() {
                true => hesscale::model::Targets::Classes(&[0, 1, 2, 3, 4, 5]),
                false => hesscale::model::Targets::Values(&x),
            };
            trainer.step(&x, targets).unwrap();
        }
        let statistics = trainer.statistics().unwrap();
        [trainer.parameters().unwrap(), statistics, trainer.predict(&x).unwrap()]
    };
    let context = pollster::block_on(Context::request_with(&Request::from_env())).unwrap();
    let gpu = trained(Trainer::new(&context, &model, optimizer, TrainerOptions::default()).unwrap());
    let cpu = Trainer::on_cpu(&model, optimizer, TrainerOptions::default()).unwrap();
    let begin = [cpu.parameters().unwrap(), cpu.statistics().unwrap(), vec![0.0; 6 * model.outputs()]];
    let cpu = trained(cpu);
    for (part, what) in ["parameters", "statistics", "outputs"].into_iter().enumerate() {
        if what == "statistics" && model.statistics_len() == 0 {
            continue;
        }
        let way = |end: &[f32]| -> Vec<f32> { end.iter().zip(&begin[part]).map(|(a, b)| a - b).collect() };
        let (gpu, cpu) = (way(&gpu[part]), way(&cpu[part]));
        let apart = gpu.iter().zip(&cpu).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let largest = cpu.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        assert!(largest > 1e-4 && apart <= 5e-3 * largest, "{what}: {apart} of {largest}");
    }
}

/// The output shapes of the layers of one kind.
fn shapes(model: &Model, is_kind: fn(&Layer) -> bool) -> Vec<&[usize]> {
    let layers = model.layers().iter().enumerate();
    layers.filter(|(_, layer)| is_kind(layer)).map(|(index, _)| model.shape(index).unwrap()).collect()
}

#[test]
fn images_shrink_as_they_should() {
    let is_convolution = |layer: &Layer| matches!(layer, Layer::Conv2d(_));
    let model = network("cifar10-3c3d");
    assert_eq!(shapes(&model, is_convolution), [[64, 28, 28], [96, 11, 11], [128, 3, 3]]);
    let is_pool = |layer: &Layer| matches!(layer, Layer::MaxPool2d(_));
    assert_eq!(shapes(&model, is_pool), [[64, 13, 13], [96, 5, 5], [128, 1, 1]]);

    let model = network("cifar100-allcnnc");
    let [large, half, quarter, inner] = [32, 16, 8, 6];
    assert_eq!(
        shapes(&model, is_convolution),
        [
            [96, large, large],
            [96, large, large],
            [96, half, half],
            [192, half, half],
            [192, half, half],
            [192, quarter, quarter],
            [192, inner, inner],
            [192, inner, inner],
            [100, inner, inner],
        ]
    );
    let dropped: Vec<f64> = model
        .layers()
        .iter()
        .filter_map(|layer| if let Layer::Dropout { p } = layer { Some(*p) } else { None })
        .collect();
    assert_eq!(dropped, [0.2, 0.5, 0.5]);
}

#[test]
fn every_hidden_layer_has_an_activation() {
    for (name, count) in [("mnist-mlp", 3), ("cifar10-3c3d", 5), ("cifar100-allcnnc", 9)] {
        assert_eq!(shapes(&network(name), |layer| matches!(layer, Layer::Act(_))).len(), count, "{name}");
    }
}

fn tiny(inputs: usize) -> Model {
    Model::builder([inputs]).dense(6).act(Activation::Tanh).dense(3).loss(Loss::cross_entropy()).unwrap()
}

#[test]
fn made_up_data_can_be_learned() {
    let model = tiny(48);
    let (train, test) = synthetic::dataset(&model, 4).unwrap();
    assert_eq!((train.len(), test.len()), (2000, 500));
    assert_eq!(synthetic::dataset(&model, 4).unwrap(), (train.clone(), test.clone()));
    assert_ne!(synthetic::dataset(&model, 5).unwrap().0, train);
    assert!(train.inputs().iter().all(|x| (0.0..=1.0).contains(x)));
    assert_ne!(train.inputs()[..500 * 48], *test.inputs());

    let mut trainer = Trainer::on_cpu(&model, Optimizer::adam(0.02), TrainerOptions::default()).unwrap();
    let before = trainer.evaluate(&test, 100).unwrap().accuracy;
    training::run(&mut trainer, (&train, &test), &schedule(3, None), |_, _| Ok(())).unwrap();
    let after = trainer.evaluate(&test, 100).unwrap().accuracy;
    assert!(before < 0.7 && after > 0.95, "{before}, then {after}");
}

fn schedule(epochs: u64, most_steps: Option<u64>) -> Schedule {
    Schedule { batch: 16, epochs, most_steps, checkpoint: None, every: None }
}

/// 40 samples: two whole batches of 16, and one of 8.
fn data() -> (Dataset, Dataset) {
    let (train, test) = synthetic::dataset(&tiny(8), 1).unwrap();
    let some: Vec<usize> = (0..40).collect();
    (train.gather(&some).unwrap(), test.gather(&some).unwrap())
}

fn trainer(seed: u64) -> Trainer {
    Trainer::on_cpu(&tiny(8), Optimizer::ada_hesscale(0.01), TrainerOptions::default().seed(seed)).unwrap()
}

fn file(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("problems").join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory.join("training.safetensors")
}

#[test]
fn training_says_what_happens() {
    let (train, test) = data();
    let (mut images, mut epochs) = (Vec::new(), Vec::new());
    let mut trainer = trainer(0);
    training::run(&mut trainer, (&train, &test), &schedule(3, Some(8)), |event, trainer| {
        match event {
            Event::Step { images: count } => images.push(count),
            Event::Epoch { evaluation, .. } => epochs.push((trainer.steps(), evaluation.accuracy)),
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(images, [16, 16, 8, 16, 16, 8, 16, 16]);
    assert_eq!(epochs.iter().map(|(steps, _)| *steps).collect::<Vec<_>>(), [3, 6]);
    assert!(epochs.iter().all(|(_, accuracy)| *accuracy > 0.0));
    assert_eq!(trainer.steps(), 8);
}

/// Stopped anywhere, within an epoch or between two, it resumes without a difference.
#[test]
fn interrupted_training_goes_on_bit_for_bit() {
    let (train, test) = data();
    let run = |trainer: &mut Trainer, schedule: &Schedule| {
        training::run(trainer, (&train, &test), schedule, |_, _| Ok(())).unwrap();
    };
    let mut whole = trainer(7);
    run(&mut whole, &schedule(4, None));
    assert_eq!(whole.steps(), 12);
    let want = whole.parameters().unwrap();
    let mut other_order = trainer(8);
    other_order.set_parameters(&trainer(7).parameters().unwrap()).unwrap();
    run(&mut other_order, &schedule(4, None));
    assert_ne!(other_order.parameters().unwrap(), want);

    let path = file("interrupted");
    for stop in [1, 3, 5, 11, 12] {
        let save = |schedule: Schedule| Schedule { checkpoint: Some(path.clone()), ..schedule };
        run(&mut trainer(7), &save(schedule(4, Some(stop))));
        let mut second = trainer(99);
        second.load(&path).unwrap();
        assert_eq!(second.steps(), stop);
        run(&mut second, &save(schedule(4, None)));
        assert_eq!(second.parameters().unwrap(), want, "stopped at {stop}");
    }
}

#[test]
fn resuming_asks_for_the_same() {
    let path = file("same");
    let mut first = trainer(7);
    resume::note(&mut first, &parsed("mnist-mlp --synthetic --batch 16"));
    first.save(&path).unwrap();
    let go_on = |line: &str| {
        let mut second = trainer(0);
        resume::go_on(&mut second, &path, &parsed(line)).map(|()| second).map_err(|error| error.to_string())
    };
    let second = go_on("mnist-mlp --synthetic --batch 16").unwrap();
    assert_eq!((second.seed(), second.optimizer().learning_rate), (7, 0.01));
    let second = go_on("mnist-mlp --synthetic --batch 16 --lr 0.5").unwrap();
    assert_eq!((second.seed(), second.optimizer().learning_rate), (7, 0.5));
    for (line, message) in [
        ("fashion-mlp --synthetic --batch 16", "was written with problem mnist-mlp, not fashion-mlp"),
        ("mnist-mlp --data there --batch 16", "was written with data made-up, not files"),
        ("mnist-mlp --synthetic --batch 8", "was written with batch 16, not 8"),
    ] {
        let found = go_on(line).unwrap_err();
        assert!(found.contains(message), "`{line}`: {found}");
    }
}

#[test]
fn checkpoints_come_when_they_should() {
    let (train, test) = data();
    for (every, want) in [(None, vec![3, 6, 7]), (Some(2), vec![2, 4, 6, 7]), (Some(50), vec![7])] {
        let path = file("when");
        let schedule = Schedule { checkpoint: Some(path.clone()), every, ..schedule(3, Some(7)) };
        let mut saved = Vec::new();
        let mut look = || {
            let mut reader = trainer(0);
            if reader.load(&path).is_ok() && saved.last() != Some(&reader.steps()) {
                saved.push(reader.steps());
            }
        };
        training::run(&mut trainer(0), (&train, &test), &schedule, |_, _| {
            look();
            Ok(())
        })
        .unwrap();
        look();
        assert_eq!(saved, want, "every {every:?}");
    }
}

fn parse(line: &str) -> Result<Command, String> {
    options::parse(Arguments::new(line.split_whitespace().map(str::to_owned)))
}

fn parsed(line: &str) -> Options {
    match parse(line).unwrap() {
        Command::Train(options) => *options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn command_lines() {
    let options = parsed("cifar100-allcnnc --data there");
    assert_eq!(
        (options.problem.name, options.data.as_deref()),
        ("cifar100-allcnnc", Some(Path::new("there")))
    );
    assert_eq!((options.schedule.batch, options.method.name), (256, "AdaHesScale"));
    assert_eq!((options.learning_rate, options.rate_is_given), (3e-4, false));
    assert!(matches!(options.device, Device::Best));

    let options = parsed(
        "--synthetic --optimizer sgd --lr=0.5 --batch 7 --epochs=2 --steps 9 --seed 3 mnist-mlp --checkpoint f \
         --every 4 --resume --adapter some --clip 2.5",
    );
    let Schedule { batch, epochs, most_steps, checkpoint, every } = options.schedule;
    assert_eq!((batch, epochs, most_steps, every), (7, 2, Some(9), Some(4)));
    assert_eq!((checkpoint, options.data), (Some(PathBuf::from("f")), None));
    assert_eq!(
        (options.learning_rate, options.rate_is_given, options.seed, options.resume),
        (0.5, true, 3, true)
    );
    assert_eq!(options.clip, Some(Some(2.5)));
    assert_eq!(parsed("mnist-mlp --synthetic --clip off").clip, Some(None));
    assert!(matches!(options.device, Device::Named(name) if name == "some"));
    assert!(matches!((options.method.at)(0.5), optimizer if optimizer.learning_rate == 0.5));
    assert_eq!(parsed("mnist-mlp --synthetic --optimizer sgd").learning_rate, 0.1);
    assert!(matches!(parse("--help"), Ok(Command::Help)));
    assert!(matches!(parse("--list"), Ok(Command::List)));

    assert!(PROBLEMS.iter().all(|problem| options::USAGE.contains(problem.name)));

    for (line, message) in [
        ("", "which problem?"),
        ("mnist --synthetic", "there is no problem `mnist`; there are: mnist-mlp, fashion-mlp"),
        ("mnist-mlp fashion-mlp --synthetic", "one problem at a time"),
        ("mnist-mlp", "say either --data DIR or --synthetic"),
        ("mnist-mlp --synthetic --data there", "say either --data DIR or --synthetic"),
        ("mnist-mlp --synthetic --resume", "--resume and --every need --checkpoint FILE"),
        ("mnist-mlp --synthetic --every 3", "--resume and --every need --checkpoint FILE"),
        ("mnist-mlp --synthetic --optimizer adagrad", "there is no optimizer `adagrad`"),
        ("mnist-mlp --synthetic --batch 0", "--batch must be a whole number of at least 1, not `0`"),
        ("mnist-mlp --synthetic --lr fast", "--lr must be a finite number, not `fast`"),
        ("mnist-mlp --synthetic --lr nan", "--lr must be a finite number, not `nan`"),
        ("mnist-mlp --synthetic --clip 0", "--clip must be a number above 0 or `off`, not `0`"),
        ("mnist-mlp --synthetic --seed -1", "--seed must be a whole number below 2^32, not `-1`"),
        ("mnist-mlp --synthetic --cpu --adapter a", "--cpu and --adapter exclude each other"),
        ("mnist-mlp --synthetic=yes", "--synthetic takes no value"),
        ("mnist-mlp --synthetic --fast", "unknown option `--fast`"),
        ("mnist-mlp --data", "--data needs a value"),
    ] {
        let found = parse(line).unwrap_err();
        assert!(found.starts_with(message), "`{line}`: {found}");
    }
}
