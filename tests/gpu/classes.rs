//! Every way of training a network on a GPU gives the CPU path's result, for every class of device: updates fused or separate,
//! dispatches joined or not, layer by layer or the whole network in one kernel, in f32 or f16, accumulated, with lazy curvature, in
//! pieces.
//!
//! There are far too many combinations to train all, so the runs form a **covering array**: every choice occurs in some run, every class
//! with updates fused and separate, and every order of dispatches in some class, on adapters that are not spared in every class.
//! `HESSCALE_MATRIX=2` covers every compatible pair of choices, 3 every triple. Software adapters take small tiles for it but with
//! `HESSCALE_TESTS=all`; trainers of every class, below, have their own everywhere.

use crate::common::{compare, relative_max_norm, to_f64};
use crate::golden;
use crate::half::mean_error;
use crate::harness::{
    Sample, distinct, not_run, of_class, of_class_with_own_tiles, share, share_from, spared, submit,
};
use crate::problem::mlp;
use hesscale::model::{BatchNorm, Conv2d, Init, MaxPool2d, Noise, Rule, Targets};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::wgpu::Features;
use hesscale::{
    Activation, Context, Dtype, Loss, Mode, Model, Optimizer, Pass, Pieces, Plan, PlanOptions, State,
};
use std::collections::BTreeSet;

const BATCHES: [usize; 4] = [40, 1, 257, 32];
const STEPS: usize = 8;
const SEED: u64 = 3;

/// How steps are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Steps,
    /// Two batches a step.
    Accumulated,
    /// Curvature on every third step.
    Lazy,
    Pieces,
}

const COURSES: [Course; 4] = [Course::Steps, Course::Accumulated, Course::Lazy, Course::Pieces];

/// An optimiser and the mode that it uses. If only √v bounds a step, f32 and f64 diverge within a few steps, so none of these has a
/// very small ε.
fn rules() -> [(Optimizer, Mode); 5] {
    let (beta1, beta2) = (0.9, 0.99);
    [
        (Rule::AdaHesScale { beta1, beta2, eps: 1e-2 }.at(0.003), Mode::HesScale),
        (Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.02).weight_decay(0.1), Mode::None),
        (Rule::Adam { beta1, beta2, eps: 1e-3 }.at(0.003), Mode::HesScaleGn),
        (Rule::AdaHesScale { beta1, beta2, eps: 1e-2 }.at(0.003).weight_decay(0.1), Mode::HesScaleR2),
        (Rule::Adam { beta1, beta2, eps: 1e-3 }.at(0.003).weight_decay(0.1), Mode::None),
    ]
}

/// Layers of different widths, so that a mix-up of buffers shows. The last network is small enough to run as a whole.
fn networks() -> [(&'static str, Model); 5] {
    use Activation::{Gelu, Relu, Tanh};
    let same = |channels| Conv2d::new(channels, 3).same();
    let images = Model::builder([3, 13, 11]).conv2d(20, 3).act(Relu).layer(MaxPool2d::new(2));
    let images = images.conv2d(36, 3).act(Tanh).flatten().dense(130).act(Tanh).dense(10);
    let residual = Model::builder([3, 12, 9]).layer(same(24)).act(Relu);
    let residual = residual.residual(|block| block.layer(same(24)).act(Tanh).layer(same(24))).act(Gelu);
    let norm = BatchNorm::new(vec![0.1; 24], vec![1.3; 24]);
    let residual = residual.layer(norm).layer(MaxPool2d::new(3)).flatten().dropout(0.2).dense(7);
    let soft = Loss::cross_entropy().soft().label_smoothing(0.1);
    [
        ("dense", mlp(&[150, 129, 1024, 260, 10], Tanh, Loss::cross_entropy())),
        ("images", images.loss(Loss::cross_entropy()).unwrap()),
        ("residual", residual.loss(soft).unwrap()),
        ("odd", mlp(&[37, 301, 131, 9], Relu, Loss::mse())),
        ("policy", mlp(&[40, 129, 66, 7], Tanh, Loss::cross_entropy())),
    ]
}

const IMAGES: usize = 1;
const WITH_DROPOUT: usize = 2;
const WHOLE: usize = 4;

/// A choice of everything, each by its index.
type Run = [usize; 9];
/// Of the classes, the first three: Apple's and phones' GPUs differ from the third in nothing but the tiles on offer, and train below.
const CHOICES: Run = [3, 2, 3, 2, 2, 4, 5, 5, 4];

/// Of class, update and joined dispatches, which determine the order of dispatches, those of which every combination is covered.
fn order() -> &'static [u32] {
    if spared() { &[0b011, 0b110] } else { &[0b111] }
}

/// The options of a run.
#[derive(Debug, Clone, Copy)]
struct Way {
    class: DeviceClass,
    fused: bool,
    /// `None`: as the class has it by default.
    joined: Option<bool>,
    whole: bool,
    storage: Dtype,
    course: Course,
    rule: usize,
    network: usize,
    batch: usize,
}

impl Way {
    fn of(run: Run) -> Way {
        let [class, fused, joined, whole, storage, course, rule, network, batch] = run;
        Way {
            class: DeviceClass::ALL[class],
            fused: fused == 0,
            joined: [None, Some(true), Some(false)][joined],
            whole: whole == 1,
            storage: [Dtype::F32, Dtype::F16][storage],
            course: COURSES[course],
            rule,
            network,
            batch: BATCHES[batch],
        }
    }

    /// Whether the combination is possible. Dropout draws new masks for each accumulated batch, so no single batch is comparable.
    fn is_possible(&self) -> bool {
        let whole = !self.whole || (self.network == WHOLE && self.storage == Dtype::F32);
        whole && !(self.network == WITH_DROPOUT && self.course == Course::Accumulated)
    }

    /// Convolutions of many samples take a software adapter longest: they are left to the runs that cover more.
    fn is_quick(&self) -> bool {
        !(self.batch == 257 && [IMAGES, WITH_DROPOUT].contains(&self.network))
    }

    fn options(&self, mode: Mode) -> PlanOptions {
        let mut options = PlanOptions::training(mode).storage(self.storage).whole_network(self.whole);
        (options.fused_update, options.fewer_dispatches) = (self.fused, self.joined);
        match self.course {
            Course::Accumulated => options.accumulate(0.5),
            Course::Lazy => options.lazy(),
            Course::Steps | Course::Pieces => options,
        }
    }

    /// Numbers that a step learns from.
    fn samples(&self) -> usize {
        self.batch * if self.course == Course::Accumulated { 2 } else { 1 }
    }
}

/// Few runs that together cover every possible combination of `strength` choices.
fn covering(strength: usize) -> Vec<Run> {
    let every = |run: usize| {
        let mut rest = run;
        CHOICES.map(|choices| {
            let choice = rest % choices;
            rest /= choices;
            choice
        })
    };
    let all = (0..CHOICES.iter().product()).map(every);
    let fits = |way: Way| way.is_possible() && (strength > 1 || way.is_quick());
    let possible: Vec<Run> = all.filter(|run| fits(Way::of(*run))).collect();
    let together = |bits: &u32| bits.count_ones() as usize == strength || order().contains(bits);
    let which: Vec<u32> = (0..1_u32 << CHOICES.len()).filter(together).collect();
    let chosen = |run: &Run| -> Vec<(u32, u64)> {
        let key = |bits: &u32| {
            let digits = (0..run.len()).filter(|at| bits >> at & 1 == 1);
            (*bits, digits.fold(0, |key, at| 8 * key + run[at] as u64))
        };
        which.iter().map(key).collect()
    };
    let mut missing: BTreeSet<(u32, u64)> = possible.iter().flat_map(chosen).collect();
    let (mut runs, mut random) = (Vec::new(), fastrand::Rng::with_seed(1));
    while !missing.is_empty() {
        // The best of many random candidates is nearly optimal.
        let tried = (0..400).map(|_| possible[random.usize(..possible.len())]);
        let gain = |run: &Run| chosen(run).iter().filter(|key| missing.contains(key)).count();
        // Of equal ones a network with few kernels, which are what takes long to compile.
        let worth = |run: &Run| (gain(run), [0, 3, WHOLE].contains(&run[7]));
        let best = tried.max_by_key(worth).filter(|run| gain(run) > 0);
        // The remaining combinations are rare: take any run that has one.
        let last = || possible.iter().copied().max_by_key(gain);
        let Some(run) = best.or_else(last) else { break };
        chosen(&run).iter().for_each(|key| _ = missing.remove(key));
        runs.push(run);
    }
    runs
}

/// Inputs and targets of a step, always the same.
fn batch(model: &Model, samples: usize, step: usize) -> Sample {
    Sample::new(model.clone(), samples, 100 + step as u64)
}

/// Parameters before and after, and the loss of each step.
struct Trained {
    start: Vec<f32>,
    end: Vec<f32>,
    losses: Vec<f64>,
}

/// A plan and its state, trained with these options.
fn on_gpu(way: &Way, context: &Context, model: &Model) -> Trained {
    let (optimizer, mode) = rules()[way.rule];
    let state = State::new(context, model, Some(optimizer)).unwrap();
    let start = model.init(Init::He, SEED).unwrap();
    state.write_parameters(&start).unwrap();
    state.set_noise(Noise { seed: SEED as u32, step: 0 }).unwrap();
    let plan = Plan::new(context, model, &state, way.batch, way.options(mode)).unwrap();
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let sample = batch(model, way.samples(), step);
        let write = |part: usize| {
            let inputs = way.batch * model.inputs();
            plan.write_input(&sample.x[part * inputs..][..inputs]).unwrap();
            let targets = way.batch * model.target_len();
            let of = part * targets..(part + 1) * targets;
            plan.write_targets(match sample.targets.view() {
                Targets::Classes(classes) => Targets::Classes(&classes[of]),
                Targets::Values(values) => Targets::Values(&values[of]),
            })
            .unwrap();
        };
        let loss = || f64::from(context.read_blocking(&[plan.loss().unwrap()]).unwrap()[0][0]);
        write(0);
        let pass = match way.course {
            Course::Lazy if step % 3 != 0 => Pass::FULL.without_curvature(),
            _ => Pass::FULL,
        };
        match way.course {
            Course::Steps | Course::Lazy => {
                submit(context, |encoder| plan.record_step(encoder, pass).unwrap());
                losses.push(loss());
            }
            Course::Accumulated => {
                submit(context, |encoder| plan.record_gradient(encoder, pass).unwrap());
                let first = loss();
                write(1);
                submit(context, |encoder| plan.record_step(encoder, pass.accumulating()).unwrap());
                losses.push((first + loss()) / 2.0);
            }
            Course::Pieces => {
                let mut pieces = Pieces::step(pass);
                let budget = plan.cost(pieces).unwrap() / 4;
                let mut last = false;
                while !last {
                    submit(context, |encoder| {
                        last = plan.record_piece(encoder, &mut pieces, budget).unwrap().last;
                    });
                }
                losses.push(loss());
            }
        }
    }
    let mut end = context.read_blocking(&[state.parameters()]).unwrap().remove(0);
    end.truncate(model.flat_len());
    Trained { start, end, losses }
}

/// The same steps by a trainer, on the CPU or on `context`.
fn by_trainer(
    context: Option<&Context>,
    model: &Model,
    (optimizer, mode): (Optimizer, Mode),
    samples: usize,
    curvature_every: usize,
) -> Trained {
    let options = || {
        let options = TrainerOptions::default().seed(SEED).init(Init::He).mode(mode);
        options.curvature_every(curvature_every)
    };
    let mut trainer = match context {
        Some(context) => Trainer::new(context, model, optimizer, options()).unwrap(),
        None => Trainer::on_cpu(model, optimizer, options()).unwrap(),
    };
    let start = trainer.parameters().unwrap();
    let step = |step| {
        let sample = batch(model, samples, step);
        trainer.step(&sample.x, sample.targets.view()).unwrap();
        f64::from(trainer.loss().unwrap())
    };
    let losses = (0..STEPS).map(step).collect();
    Trained { start, end: trainer.parameters().unwrap(), losses }
}

impl Trained {
    /// That each tensor has moved, and to where it moved in `want`; the worst error of a tensor, relative to the way. All of its
    /// elements count together. A single one may be further off: where a sum is next to 0 relu may be of two minds about it,
    /// and where a gradient is, what divides by its size moves the other way; in f16 more of them are.
    fn agrees(&self, want: &Trained, model: &Model, storage: Dtype) -> Result<f64, String> {
        if self.start != want.start {
            return Err("they begin apart".into());
        }
        let (together, single) = if storage == Dtype::F32 { (5e-4, 2e-2) } else { (0.05, 1.0) };
        let mut worst = compare("losses", &self.losses, &want.losses, together)?;
        for p in model.parameters() {
            let moved = |trained: &Trained| -> Vec<f64> {
                let (start, end) = (to_f64(&trained.start[p.range()]), to_f64(&trained.end[p.range()]));
                end.into_iter().zip(start).map(|(end, start)| end - start).collect()
            };
            let (got, want) = (moved(self), moved(want));
            for (whose, moved) in [("its", &got), ("the other's", &want)] {
                if moved.iter().all(|by| *by == 0.0) {
                    return Err(format!("{}: {whose} numbers stand still", p.name()));
                }
            }
            compare(&p.name(), &got, &want, single)?;
            match mean_error(&got, &want) {
                error if error <= together => worst = worst.max(error),
                error => return Err(format!("{}: {error:e} > {together:e} on average", p.name())),
            }
        }
        Ok(worst)
    }
}

fn strength() -> usize {
    match std::env::var("HESSCALE_MATRIX") {
        // `cargo xtask portability` asks for more, which takes minutes on two cores.
        Err(_) => 1,
        Ok(strength) => strength.parse().expect("HESSCALE_MATRIX is how many choices are made at once"),
    }
}

#[test]
fn all_ways_of_training_end_in_the_same_place() {
    let (networks, rules) = (networks(), rules());
    let (mut faults, mut worst, mut without) = (Vec::new(), [0.0_f64; 2], 0);
    let runs = covering(strength());
    for run in &runs {
        let way = Way::of(*run);
        let (name, model) = &networks[way.network];
        let context = of_class(way.class);
        if way.storage == Dtype::F16 && !context.device().features().contains(Features::SHADER_F16) {
            // Its name cannot say so, for the rest of it runs.
            not_run("the adapter has no f16");
            without += 1;
            continue;
        }
        let begin = std::time::Instant::now();
        let got = on_gpu(&way, &context, model);
        let gpu = begin.elapsed();
        let every = if way.course == Course::Lazy { 3 } else { 1 };
        let want = by_trainer(None, model, rules[way.rule], way.samples(), every);
        let verdict = got.agrees(&want, model, way.storage);
        println!("{name} {way:?}: {verdict:?}, {gpu:.1?} of {:.1?}", begin.elapsed());
        match verdict {
            Ok(error) => {
                let worst = &mut worst[usize::from(way.storage == Dtype::F16)];
                *worst = worst.max(error);
            }
            Err(fault) => faults.push(format!("{name} {way:?}: {fault}")),
        }
    }
    println!(
        "{} ways of training; worst error {:.1e}, in f16 {:.1e}; {without} left out: the adapter has no f16",
        runs.len(),
        worst[0],
        worst[1]
    );
    assert!(faults.is_empty(), "{} of {}: {faults:#?}", faults.len(), runs.len());
}

/// The usual case: `Trainer` with its defaults, in every class of GPUs, on a spared adapter a network in each.
#[test]
fn trainers_of_every_class_train() {
    let mut faults = Vec::new();
    // Each network with another size, the largest with a cheap one, and another optimiser. GPUs slice sums at small batches.
    let sizes = [40, 1, 32, 257, 8];
    for (index, ((name, model), samples)) in networks().into_iter().zip(sizes).enumerate() {
        let (optimizer, mode) = rules()[2 * index % rules().len()];
        let want = by_trainer(None, &model, (optimizer, mode), samples, 1);
        let plan = PlanOptions::training(mode).fused_update();
        let classes =
            share_from(&DeviceClass::ALL[1..], 4, index).map(|class| of_class_with_own_tiles(*class));
        for context in distinct(classes, &model, samples, Some(optimizer), &[plan]) {
            let got = by_trainer(Some(&context), &model, (optimizer, mode), samples, 1);
            if let Err(fault) = got.agrees(&want, &model, Dtype::F32) {
                let class = context.class();
                faults.push(format!("{name} {class:?} batch {samples} {optimizer:?}: {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}: {faults:#?}", faults.len());
}

/// The golden vectors with a class's own tiles, three classes and all modes in turn.
#[test]
fn golden_vectors_with_each_classs_own_tiles() {
    let mut ledger = crate::common::ledger::Ledger::new(1e-5);
    // `golden` has all cases, with small tiles.
    for (index, (case, model)) in share(&golden::cases(), 5).enumerate() {
        let class = DeviceClass::ALL[index % 3];
        let mode = Mode::ALL[(index + index / 6) % Mode::ALL.len()];
        golden::check(&mut ledger, &of_class_with_own_tiles(class), case, model, mode);
    }
    ledger.settle();
}

/// The comparison detects tensors that do not move, move wrongly, or start elsewhere.
#[test]
fn a_trainer_that_does_not_train_is_noticed() {
    let model = mlp(&[3, 5, 4], Activation::Tanh, Loss::cross_entropy());
    let rule = rules()[0];
    let want = by_trainer(None, &model, rule, 6, 1);
    let planted = |storage: Dtype, change: fn(&mut Trained)| {
        let mut got = by_trainer(None, &model, rule, 6, 1);
        for storage in [Dtype::F32, Dtype::F16] {
            assert_eq!(got.agrees(&want, &model, storage), Ok(0.0));
        }
        change(&mut got);
        got.agrees(&want, &model, storage).unwrap_err()
    };
    let f16 = planted(Dtype::F16, |got| got.end[2] += 0.02);
    assert!(f16.starts_with("0.weight") && f16.ends_with("on average"), "{f16}");
    let planted = |change| planted(Dtype::F32, change);
    assert_eq!(planted(|got| got.end = got.start.clone()), "0.weight: its numbers stand still");
    let many = planted(|got| got.end[..15].iter_mut().for_each(|end| *end += 1e-4));
    assert!(many.starts_with("0.weight") && many.ends_with("on average"), "{many}");
    let one = planted(|got| got.end[2] += 0.02);
    assert!(one.starts_with("0.weight") && one.contains("1/15 over the bound"), "{one}");
    assert!(planted(|got| got.losses[7] *= 1.01).starts_with("losses"));
    assert_eq!(planted(|got| got.start[0] += 1.0), "they begin apart");
    assert!(relative_max_norm(&[f64::NAN], &[1.0]).is_infinite());
}

/// Every compatible pair of choices is covered.
#[test]
fn the_covering_covers() {
    let runs = covering(2);
    assert!(runs.iter().all(|run| Way::of(*run).is_possible()));
    let made =
        |a: (usize, usize), b: (usize, usize)| runs.iter().any(|run| run[a.0] == a.1 && run[b.0] == b.1);
    // Each class runs with each network, each course with each optimiser; whole networks with every class, batch and course.
    (0..CHOICES[0]).for_each(|class| (0..5).for_each(|network| assert!(made((0, class), (7, network)))));
    (0..4).for_each(|course| (0..5).for_each(|rule| assert!(made((5, course), (6, rule)))));
    (0..CHOICES[0]).for_each(|class| assert!(made((3, 1), (0, class))));
    let check_orders = |runs: &[Run]| {
        let [class, fused, joined] = [CHOICES[0], CHOICES[1], CHOICES[2]];
        let different = |of: fn(&Run) -> [usize; 3]| runs.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(different(|run| [run[0], run[1], 0]), class * fused);
        assert_eq!(different(|run| [0, run[1], run[2]]), fused * joined);
        assert!(spared() || different(|run| [run[0], run[1], run[2]]) == class * fused * joined);
    };
    check_orders(&runs);
    (0..4).for_each(|at| assert!(made((3, 1), (8, at)) && made((3, 1), (5, at))));
    assert!(!made((3, 1), (4, 1)), "a whole network in f16 cannot be");
    assert!(runs.len() < 60, "{}", runs.len());
    // Without pairs: each choice, and each order of dispatches in each class.
    let runs = covering(1);
    for (at, choices) in CHOICES.into_iter().enumerate() {
        (0..choices).for_each(|choice| assert!(runs.iter().any(|run| run[at] == choice), "{at} {choice}"));
    }
    check_orders(&runs);
}
