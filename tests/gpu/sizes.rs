//! Sizes at the edges of tiles and vectors, from one to very many; each sum within its own bound.

use crate::common::golden::OwnedTargets;
use crate::common::{compare, to_f64};
use crate::harness::{
    Outcome, Sample, context, context_with_own_tiles, distinct, host_device, run_with_signals, share,
    share_from,
};
use hesscale::model::{Reduction, Role};
use hesscale::tuning::DeviceClass;
use hesscale::{Activation, At, Context, ContextOptions, Loss, Mode, Model, PlanOptions, wgpu};

/// A sum of `terms` in f64, with the sum of their sizes and their number.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    value: f64,
    size: f64,
    terms: usize,
}

impl Sum {
    fn of(terms: impl Iterator<Item = f64>) -> Sum {
        terms.fold(Sum::default(), |s, t| Sum {
            value: s.value + t,
            size: s.size + t.abs(),
            terms: s.terms + 1,
        })
    }

    /// |Δ| ≤ 4 u √K Σ|a b| + tiny; the error as a fraction of this bound.
    fn part(self, got: f32) -> f64 {
        let bound = 4.0 * 2f64.powi(-24) * (self.terms as f64).sqrt() * self.size + 1e-37;
        let part = (f64::from(got) - self.value).abs() / bound;
        if part.is_nan() { f64::INFINITY } else { part }
    }
}

fn check_sums(name: &str, got: &[f32], sum: impl Fn(usize) -> Sum) -> f64 {
    let mut worst = (0.0, 0);
    for (i, value) in got.iter().enumerate() {
        let part = sum(i).part(*value);
        if part > worst.0 {
            worst = (part, i);
        }
    }
    let (part, i) = worst;
    assert!(part <= 1.0, "{name}[{i}]: {part} times the bound; got {:e}, want {:?}", got[i], sum(i));
    part
}

fn layer(inputs: usize, outputs: usize) -> Model {
    Model::builder([inputs]).dense(outputs).loss(Loss::Mse { reduction: Reduction::Sum }).unwrap()
}

/// Every sum of one dense layer under a squared error. The parameters' sums start from the signal that the GPU itself
/// found, so that each product is judged alone.
fn contract(sample: &Sample, outcome: &Outcome, mode: Mode) -> f64 {
    let Sample { model, parameters, x, batch, .. } = sample;
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let name = |what: &str| format!("{what} {batch}x{inputs}x{outputs} {mode:?}");
    let w = &parameters[model.parameter(0, Role::Weight).unwrap().range()];
    let b = &parameters[model.parameter(0, Role::Bias).unwrap().range()];
    let d = |x: f32| f64::from(x);
    let mut worst = check_sums(&name("logits"), &outcome.logits, |i| {
        let (n, o) = (i / outputs, i % outputs);
        let products = (0..inputs).map(|k| d(x[n * inputs + k]) * d(w[o * inputs + k]));
        Sum::of(products.chain([d(b[o])]))
    });
    let (g, h) = &outcome.signals[0];
    for (what, signal, flat, squared) in
        [("gradient", g, &outcome.gradient, false), ("diagonal", h, &outcome.diagonal, true)]
    {
        if squared && mode == Mode::None {
            continue;
        }
        let power = |x: f32| if squared { d(x) * d(x) } else { d(x) };
        let weight = |i: usize| {
            let (o, k) = (i / inputs, i % inputs);
            Sum::of((0..*batch).map(|n| d(signal[n * outputs + o]) * power(x[n * inputs + k])))
        };
        let bias = |o: usize| Sum::of((0..*batch).map(|n| d(signal[n * outputs + o])));
        let of = |role| &flat[model.parameter(0, role).unwrap().range()];
        worst = worst.max(check_sums(&name(&format!("{what} weight")), of(Role::Weight), weight));
        worst = worst.max(check_sums(&name(&format!("{what} bias")), of(Role::Bias), bias));
        let got = if squared { &outcome.input_signal.1 } else { &outcome.input_signal.0 };
        let below = |i: usize| {
            let (n, k) = (i / inputs, i % inputs);
            let sum = Sum::of((0..outputs).map(|o| d(signal[n * outputs + o]) * power(w[o * inputs + k])));
            // Where vectors u are carried, h = 2 comes as √2 · √2: four more roundings.
            if squared && mode.rank() > 0 { Sum { terms: 4 * sum.terms, ..sum } } else { sum }
        };
        worst = worst.max(check_sums(&name(&format!("{what} at the input")), got, below));
    }
    worst
}

/// Batch, inputs, outputs: around every tile and vector size, and coprime.
const SIZES: [[usize; 3]; 24] = [
    [1, 1, 1],
    [2, 3, 5],
    [3, 4, 4],
    [4, 4, 3],
    [5, 8, 7],
    [7, 9, 8],
    [8, 31, 33],
    [9, 7, 16],
    [15, 16, 17],
    [16, 32, 31],
    [17, 33, 32],
    [31, 63, 65],
    [32, 64, 64],
    [33, 65, 63],
    [63, 127, 129],
    [64, 128, 128],
    [65, 129, 127],
    [1, 128, 1],
    [129, 1, 1],
    [1, 1, 129],
    [1, 128, 128],
    [37, 61, 67],
    [127, 5, 9],
    [16, 16, 128],
];

pub(crate) const MODES: [Mode; 3] = [Mode::None, Mode::HesScale, Mode::HesScaleR2];

pub(crate) fn edges(context: &Context, sizes: &[[usize; 3]], modes: &[Mode]) {
    let mut worst = 0.0_f64;
    for (i, &[batch, inputs, outputs]) in sizes.iter().enumerate() {
        let sample = Sample::new(layer(inputs, outputs), batch, i as u64);
        for &mode in modes {
            let (x, targets) = (&sample.x, sample.targets.view());
            let outcome =
                run_with_signals(context, &sample.model, mode, &sample.parameters, x, targets).unwrap();
            worst = worst.max(contract(&sample, &outcome, mode));
            follows(&sample, &outcome, mode);
        }
    }
    println!("worst part of the bound: {worst}");
}

/// The signal at the logits, from which the other sums start, against the reference.
fn follows(sample: &Sample, outcome: &Outcome, mode: Mode) {
    let want = sample.reference(mode);
    let name = |what: &str| format!("{what} {} {mode:?}", sample.batch);
    compare(&name("loss"), &[outcome.loss.into()], &[want.loss], 1e-5).unwrap();
    compare(&name("g at the logits"), &to_f64(&outcome.signals[0].0), &want.signals[0].g, 1e-5).unwrap();
    compare(&name("h at the logits"), &to_f64(&outcome.signals[0].1), &want.signals[0].h, 1e-5).unwrap();
}

#[test]
fn sums_at_the_edges_of_tiles() {
    edges(&context_with_own_tiles(), &SIZES, &MODES);
}

/// Other device classes' tiles give correct results here too; they are only slower.
#[test]
fn tiles_of_other_device_classes() {
    let (device, queue) = host_device(wgpu::Limits::defaults());
    let of =
        |class: &DeviceClass| Context::from_device(&device, &queue, ContextOptions::default().class(*class));
    let contexts: Vec<Context> = DeviceClass::ALL[1..].iter().map(of).collect();
    // The last sums are shared out: into 2 to 16 parts, of which the last is short or empty.
    let sizes = [
        [1, 1, 1],
        [33, 65, 63],
        [64, 128, 128],
        [37, 61, 67],
        [5, 784, 67],
        [33, 513, 131],
        [130, 72, 257],
        [16, 1025, 34],
    ];
    for (turn, size @ [batch, inputs, outputs]) in share_from(sizes.into_iter().enumerate(), 2, 1) {
        let model = layer(inputs, outputs);
        // The most numbers, and one or two in turn.
        let modes = [MODES[2], MODES[turn / 2 % 2]];
        let plan = |mode| PlanOptions::training(mode).signal(At::Input).signal(At::Layer(0));
        let plans = modes.map(plan);
        // Two of the classes that differ, in turn.
        let mut contexts = distinct(contexts.clone(), &model, batch, None, &plans);
        let first = turn / 2 % contexts.len();
        contexts.rotate_left(first);
        for context in share(&contexts[..contexts.len().min(2)], 2) {
            let modes: Vec<Mode> = share(modes, 2).collect();
            edges(context, &[size], &modes);
        }
    }
}

/// 16,384 samples are summed in one dispatch, more in several.
#[test]
fn many_samples() {
    for (batch, mode) in [
        (16_383, Mode::HesScale),
        (16_384, Mode::HesScale),
        (16_385, Mode::HesScale),
        (32_771, Mode::HesScaleR2),
        (65_536, Mode::None),
        (65_536, Mode::HesScale),
    ] {
        let sample = Sample::new(layer(3, 2), batch, 7);
        let (x, targets) = (&sample.x, sample.targets.view());
        let outcome =
            run_with_signals(&context(), &sample.model, mode, &sample.parameters, x, targets).unwrap();
        contract(&sample, &outcome, mode);
        follows(&sample, &outcome, mode);
        let want = sample.reference(mode);
        compare("gradient", &to_f64(&outcome.gradient), &want.gradient, 1e-5).unwrap();
        if mode.has_diagonal() {
            compare("diagonal", &to_f64(&outcome.diagonal), &want.diagonal, 1e-5).unwrap();
        }
        let parts = (1..).find(|parts| parts * 16_384 >= batch).unwrap();
        let state = hesscale::State::new(&context(), &sample.model, None).unwrap();
        let plan = hesscale::Plan::new(&context(), &sample.model, &state, batch, PlanOptions::training(mode))
            .unwrap();
        let products = plan.dispatches().filter(|(label, _)| label.contains("parameters")).count();
        assert_eq!(products, parts, "{batch}");
    }
}

#[test]
fn a_hundred_thousand_classes() {
    let model = Model::builder([2]).dense(100_000).loss(Loss::cross_entropy()).unwrap();
    let mut sample = Sample::new(model, 2, 3);
    sample.targets = OwnedTargets::Classes(vec![99_999, 70_001]);
    for mode in [Mode::HesScale, Mode::HesScaleR2] {
        let (x, targets) = (&sample.x, sample.targets.view());
        let got = run_with_signals(&context(), &sample.model, mode, &sample.parameters, x, targets).unwrap();
        let want = sample.reference(mode);
        let check = |name: &str, got: &[f32], want: &[f64]| {
            println!("{name} {mode:?} {:e}", compare(name, &to_f64(got), want, 1e-5).unwrap());
        };
        check("loss", &[got.loss], &[want.loss]);
        check("logits", &got.logits, &want.logits);
        check("gradient", &got.gradient, &want.gradient);
        check("diagonal", &got.diagonal, &want.diagonal);
        check("g", &got.signals[0].0, &want.signals[0].g);
        check("h", &got.signals[0].1, &want.signals[0].h);
        check("g at the input", &got.input_signal.0, &want.input_signal.g);
        check("h at the input", &got.input_signal.1, &want.input_signal.h);
        // A sum of 100,000: each within its own bound too, with d at the logits in the place of its parts h and u.
        let w = &sample.parameters[sample.model.parameter(0, Role::Weight).unwrap().range()];
        let size = |signal: &[f64], i: usize, power: i32| {
            let (n, k) = (i / 2, i % 2);
            (0..100_000).map(|o| (signal[n * 100_000 + o] * f64::from(w[2 * o + k]).powi(power)).abs()).sum()
        };
        for (what, got, want, signal, power) in [
            ("g at the input", &got.input_signal.0, &want.input_signal.g, &want.signals[0].g, 1),
            ("h at the input", &got.input_signal.1, &want.input_signal.h, &want.signals[0].h, 2),
        ] {
            check_sums(what, got, |i| Sum { value: want[i], size: size(signal, i, power), terms: 100_000 });
        }
    }
}

/// 66,560 workgroups of 64: one more row of them than a grid is wide.
#[test]
fn more_workgroups_than_a_grid_is_wide() {
    let model = Model::builder([65]).act(Activation::Softplus).act(Activation::Tanh);
    let model = model.loss(Loss::Mse { reduction: Reduction::Sum }).unwrap();
    let sample = Sample::new(model, 65_536, 5);
    let want = sample.reference(Mode::HesScale);
    let got = sample.on(&context(), PlanOptions::training(Mode::HesScale).signal(At::Input));
    compare("loss", &[got.loss.into()], &[want.loss], 1e-5).unwrap();
    compare("outputs", &to_f64(&got.logits), &want.logits, 1e-5).unwrap();
    compare("g", &to_f64(&got.input_signal.0), &want.input_signal.g, 1e-5).unwrap();
    compare("h", &to_f64(&got.input_signal.1), &want.input_signal.h, 1e-5).unwrap();
}

/// Every kernel folds its grid on a device whose rows of workgroups are short.
#[test]
fn grids_fold_where_rows_are_short() {
    let limits = wgpu::Limits { max_compute_workgroups_per_dimension: 29, ..wgpu::Limits::defaults() };
    let (device, queue) = host_device(limits);
    let context = Context::from_device(&device, &queue, ContextOptions::default());
    edges(&context, &[[127, 33, 65], [7, 129, 501]], &MODES);
    let model = Model::builder([33]).act(Activation::Tanh).dense(100).act(Activation::Tanh).dense(7);
    let model = model.loss(Loss::cross_entropy()).unwrap();
    let sample = Sample::new(model, 150, 5);
    let options = || PlanOptions::training(Mode::HesScale).signal(At::Input);
    let (folded, flat) = (sample.on(&context, options()), sample.on(&crate::harness::context(), options()));
    assert_eq!(folded.loss, flat.loss);
    assert_eq!(folded.gradient, flat.gradient);
    assert_eq!(folded.diagonal, flat.diagonal);
    assert_eq!(folded.input_signal, flat.input_signal);
}

/// A planted error exceeds the bound.
#[test]
fn a_planted_error_breaks_the_bound() {
    let sum = Sum::of([1.0, -1.0, 0.5].into_iter());
    assert!(sum.part(0.5) == 0.0 && sum.part(0.500_000_1) < 1.0);
    assert!(sum.part(0.500_01) > 1.0 && sum.part(f32::NAN) == f64::INFINITY);
}
