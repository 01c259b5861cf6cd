//! Activations and signals stored in f16: accuracy, range, refusals, and memory saved.

use crate::common::{compare, to_f64};
use crate::golden::cases;
use crate::harness::{Outcome, Sample, bits, context, not_run, request, run, share};
use crate::layers::mixed;
use hesscale::model::{Conv2d, Reduction, Rule, Targets, Upsample2d};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::wgpu::Features;
use hesscale::{Activation, At, Context, Dtype, Error, Loss, Mode, Model, Pass, Plan, PlanOptions, State};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Half an ulp of f16, relative: the error of rounding to nearest.
const UNIT: f64 = 1.0 / 2048.0;

fn halved(mode: Mode) -> PlanOptions {
    PlanOptions::training(mode).storage(Dtype::F16)
}

/// A context whose device has f16; `None` on an adapter without it, where the plan must be refused.
fn half_context() -> Option<Context> {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    let make = || {
        let request = request(false).features(halved(Mode::None).required_features());
        pollster::block_on(Context::request_with(&request)).expect("an adapter")
    };
    let context = CONTEXT.get_or_init(make).clone();
    if !context.device().features().contains(Features::SHADER_F16) {
        refused(&context);
        not_run("the adapter has no f16");
        return None;
    }
    Some(context)
}

fn small() -> Model {
    Model::builder([3]).dense(5).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap()
}

fn refused(context: &Context) {
    let state = State::new(context, &small(), None).unwrap();
    let got = Plan::new(context, &small(), &state, 2, halved(Mode::HesScale)).unwrap_err();
    assert_eq!(got, Error::Feature { what: "storage in f16", feature: "SHADER_F16" });
    let text = "storage in f16 needs a device with SHADER_F16; request it, where the adapter has it";
    assert_eq!(got.to_string(), text);
}

#[test]
fn a_device_without_the_feature_is_refused() {
    assert_eq!(PlanOptions::training(Mode::None).required_features(), Features::empty());
    assert!(!context().device().features().contains(Features::SHADER_F16), "nobody asked for it");
    refused(&context());
}

#[test]
fn what_cannot_be_is_refused_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    let state = State::new(&context, &small(), None).unwrap();
    let plan = |options| Plan::new(&context, &small(), &state, 2, options);
    for scale in [0.0, -4.0, 2.0, 3.0, 4_f32.powi(31), f32::INFINITY, f32::NAN] {
        let got = plan(halved(Mode::HesScale).loss_scale(scale)).unwrap_err();
        assert!(matches!(got, Error::Value { name: "the loss's scale", .. }), "{scale}: {got}");
    }
    for scale in [4_f32.powi(-30), 0.25, 1.0, 4.0, 4_f32.powi(30)] {
        assert!(plan(halved(Mode::HesScale).loss_scale(scale)).is_ok(), "{scale}");
    }
    let got = plan(halved(Mode::HesScale).whole_network(true)).unwrap_err();
    let kind = "storage in f16 in a whole network's kernel".into();
    assert_eq!(got, Error::Unsupported { layer: "network".into(), kind });
}

/// A pass's results against the expected ones: the worst relative max-norm error for each kind of tensor.
type Errors = BTreeMap<&'static str, f64>;

/// Σ|got − want| / Σ|want|.
pub(crate) fn mean_error(got: &[f64], want: &[f64]) -> f64 {
    let off: f64 = got.iter().zip(want).map(|(g, w)| (g - w).abs()).sum();
    off / want.iter().map(|w| w.abs()).sum::<f64>()
}

/// Cases where rounding crosses a kink, so that single elements come from another branch and only the mean error is small: a ReLU's
/// input near 0 in the deepest network; and HesScale-R's second most likely class in a sample where the third is only 1e-6 less.
fn is_kinked(name: &str, mode: Mode) -> bool {
    name.starts_with("cnn_allcnnc") || (name.starts_with("mlp_odd129") && mode == Mode::HesScaleR2)
}

fn errors(
    sample: &Sample,
    mode: Mode,
    places: &[At],
    got: &Outcome,
    bound: f64,
    kinked: bool,
) -> Result<Errors, String> {
    let want = sample.reference(mode);
    let mut worst = Errors::new();
    let mut near = |kind: &'static str, name: String, got: &[f32], want: &[f64]| -> Result<(), String> {
        let got = to_f64(got);
        let error = match compare(&name, &got, want, bound) {
            Err(_) if kinked && mean_error(&got, want) <= bound => return Ok(()),
            error => error?,
        };
        let worst = worst.entry(kind).or_default();
        *worst = worst.max(error);
        Ok(())
    };
    near("loss", "loss".into(), &[got.loss], &[want.loss])?;
    near("logits", "logits".into(), &got.logits, &want.logits)?;
    for at in places {
        let (got, want) = match *at {
            At::Input => (&got.input_signal, &want.input_signal),
            At::Layer(i) => (&got.signals[i], &want.signals[i]),
        };
        near("signal g", format!("g at {at:?}"), &got.0, &want.g)?;
        near("signal h", format!("h at {at:?}"), &got.1, &want.h)?;
    }
    for p in sample.model.parameters() {
        let range = p.range();
        near(
            "gradient",
            format!("gradient {}", p.name()),
            &got.gradient[range.clone()],
            &want.gradient[range.clone()],
        )?;
        if mode.has_diagonal() {
            near(
                "diagonal",
                format!("diagonal {}", p.name()),
                &got.diagonal[range.clone()],
                &want.diagonal[range],
            )?;
        }
    }
    Ok(worst)
}

/// The error bound of a pass. Each layer stores an output and a signal, each off by one unit, in squares by two; the terms of a sum
/// may be four times as large as the sum. So 4 · 3 units per layer, and as many at the beginning and the end.
fn bound(model: &Model) -> f64 {
    12.0 * (model.layers().len() + 1) as f64 * UNIT
}

fn golden() -> Vec<(String, Sample)> {
    let sample = |(case, model): (crate::common::golden::Case, Model)| {
        let (batch, parameters) = (case.x.len() / model.inputs(), case.parameters.clone());
        (case.name.clone(), Sample { model, batch, parameters, x: case.x.clone(), targets: case.targets })
    };
    cases().into_iter().map(sample).collect()
}

/// The worst of each kind over the golden cases is in docs/performance.md.
#[test]
fn golden_cases_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    let (mut dense, mut images) = (Errors::new(), Errors::new());
    let mut faults = Vec::new();
    // A bias right below an instance norm has a gradient of 0, and no error is relative to that; `norm` stores it in f16.
    let of_instances = |name: &str| name == "norm_group_conv_ce_b3";
    let cases = golden().into_iter().filter(|(name, _)| !of_instances(name));
    // All are run in f32.
    for (turn, (name, sample)) in share(cases, 4).enumerate() {
        // Each mode in turn, with signals to be read and without.
        let mode = [Mode::None, Mode::HesScale, Mode::HesScaleR2][turn % 3];
        let places = if turn % 2 == 0 { sample.places() } else { Vec::new() };
        let options = places.iter().fold(halved(mode), |options, at| options.signal(*at));
        let got = sample.on(&context, options);
        match errors(&sample, mode, &places, &got, bound(&sample.model), is_kinked(&name, mode)) {
            Err(fault) => faults.push(format!("{name} {mode:?}: {fault}")),
            Ok(errors) => {
                println!("{name} {mode:?} {errors:?} of {}", bound(&sample.model));
                let worst = if name.starts_with("c") { &mut images } else { &mut dense };
                for (kind, error) in errors {
                    let worst = worst.entry(kind).or_default();
                    *worst = worst.max(error);
                }
            }
        }
    }
    println!("dense {dense:#?} images {images:#?}");
    assert!(
        faults.is_empty(),
        "{} faults; first:\n{}",
        faults.len(),
        faults[..faults.len().min(5)].join("\n")
    );
    // f16 was really used.
    assert!([dense, images].iter().all(|worst| worst["gradient"] > UNIT / 8.0));
}

/// One element that is off by twice the bound.
#[test]
fn the_bound_notices_a_planted_error() {
    for (name, sample) in golden().into_iter().filter(|(name, _)| name.starts_with("mlp_tanh")) {
        let mut got = sample.on(&context(), PlanOptions::training(Mode::HesScale));
        let judge = |got: &Outcome| errors(&sample, Mode::HesScale, &[], got, bound(&sample.model), false);
        assert!(judge(&got).is_ok());
        let largest = got.gradient.iter().map(|g| g.abs()).fold(0.0, f32::max);
        let off = got.gradient.iter_mut().find(|g| g.abs() == largest).unwrap();
        *off *= 1.0 + 2.0 * bound(&sample.model) as f32;
        assert!(judge(&got).unwrap_err().starts_with("gradient"), "{name}");
    }
}

/// Every kind of layer and every loss, with and without kept signals.
#[test]
fn every_kind_of_layer_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    let residual =
        Model::builder([4, 5, 5]).residual(|b| b.layer(Conv2d::new(4, 3).same()).act(Activation::Tanh));
    let residual = residual.layer(hesscale::Layer::ZeroPad2d { padding: [1, 0, 2, 1] });
    let residual =
        residual.layer(Upsample2d::bilinear([1, 2])).layer(hesscale::Layer::PixelShuffle { factor: 2 });
    let residual = residual.layer(hesscale::Layer::global_avg_pool()).flatten().act(Activation::Softplus);
    let rows =
        Model::builder([6]).act(Activation::Sin { frequency: 2.0 }).residual(|b| b.dense(6).dropout(0.5));
    let models = [
        mixed(Loss::cross_entropy()),
        residual.dense(3).loss(Loss::mse()).unwrap(),
        rows.act(Activation::Tanh)
            .act(Activation::Silu)
            .loss(Loss::BceWithLogits { reduction: Reduction::Mean, pos_weight: None })
            .unwrap(),
    ];
    for (turn, model) in models.into_iter().enumerate() {
        let sample = Sample::new(model, 3, 1);
        let mut modes = [Mode::None, Mode::HesScale, Mode::HesScaleR2];
        modes.rotate_left(turn);
        // With signals to be read in the mode with the most of them.
        for mode in share(modes, 2) {
            let places = if mode.rank() > 0 { sample.places() } else { Vec::new() };
            let options = places.iter().fold(halved(mode), |options, at| options.signal(*at));
            let got = sample.on(&context, options);
            let errors = errors(&sample, mode, &places, &got, bound(&sample.model), false).unwrap();
            println!("{mode:?} {errors:?} of {}", bound(&sample.model));
        }
    }
}

/// If nothing leaves f16's range, the loss scale does not change any bit.
#[test]
fn the_scale_is_taken_off_exactly_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    let model = Model::builder([7]).dense(12).act(Activation::Tanh).dense(9).act(Activation::Tanh).dense(4);
    let sample = Sample::new(model.loss(Loss::cross_entropy()).unwrap(), 5, 3);
    for mode in Mode::ALL {
        let at = |scale: f32| {
            let got = sample.on(&context, halved(mode).signal(At::Layer(1)).loss_scale(scale));
            let (g, d) = got.signals[1].clone();
            [vec![got.loss], got.gradient, got.diagonal, g, d].map(|values| bits(&values))
        };
        assert_eq!(at(256.0), at(1024.0), "{mode:?}");
        assert!(at(256.0) != at(4_f32.powi(-8)), "{mode:?}: so small that bits are lost");
    }
}

/// w₂ w₁ x and its squared distance from a target: what is stored is w₁ x and 2 (z − t).
fn line(context: &Context, [w1, w2]: [f32; 2], target: f32, scale: Option<f32>) -> (Outcome, [f32; 2]) {
    let loss = Loss::Mse { reduction: Reduction::Sum };
    let model = Model::builder([1]).dense_no_bias(1).dense_no_bias(1).loss(loss).unwrap();
    let mut parameters = vec![0.0; model.flat_len()];
    let places: Vec<usize> = model.parameters().iter().map(|p| p.offset).collect();
    (parameters[places[0]], parameters[places[1]]) = (w1, w2);
    let mut options = halved(Mode::HesScale);
    options.loss_scale = scale;
    let got = run(context, &model, options, &parameters, &[1.0], Targets::Values(&[target])).unwrap();
    let gradient = [places[0], places[1]].map(|at| got.gradient[at]);
    (got, gradient)
}

#[test]
fn what_is_too_large_saturates_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    // An activation of a million saturates at the largest f16, and results stay finite.
    let (got, _) = line(&context, [1e6, 1.0], 0.0, Some(4_f32.powi(-9)));
    assert_eq!(got.logits, [65504.0]);
    assert!(got.gradient.iter().chain(&got.diagonal).all(|v| v.is_finite()));
    // A signal of two millions, and minus that.
    let (_, [below, above]) = line(&context, [1.0, 1.0], -1e6, Some(1.0));
    assert_eq!([below, above], [65504.0; 2]);
    let (_, [below, above]) = line(&context, [1.0, 1.0], 1e6, Some(1.0));
    assert_eq!([below, above], [-65504.0; 2]);
    // With a smaller scale it fits.
    let (_, [below, above]) = line(&context, [1.0, 1.0], -1e6, Some(4_f32.powi(-4)));
    let exact = 2.0 * (1.0 + 1e6);
    assert!(
        [below, above].iter().all(|g| (f64::from(*g) / exact - 1.0).abs() < 2.0 * UNIT),
        "{below} {above}"
    );
}

#[test]
fn what_is_too_small_is_lost_without_a_scale_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    let target = 1.0 - 0.5_f32.powi(10);
    let (_, lost) = line(&context, [1.0, 1.0], target, Some(4_f32.powi(-10)));
    assert_eq!(lost, [0.0; 2]);
    let (_, kept) = line(&context, [1.0, 1.0], target, None);
    assert_eq!(kept, [0.5_f32.powi(9); 2]);
}

#[test]
fn updates_follow_and_sums_accumulate_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    let model =
        Model::builder([8]).dense(12).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap();
    let sample = Sample::new(model, 2, 5);
    let step = |options: PlanOptions| {
        let optimizer = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.02);
        let state = State::new(&context, &sample.model, Some(optimizer)).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(&context, &sample.model, &state, sample.batch, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        (state, plan)
    };
    let updated = |options| {
        let (state, plan) = step(options);
        crate::harness::submit(&context, |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
        bits(&context.read_blocking(&[state.parameters()]).unwrap()[0][..sample.model.flat_len()])
    };
    assert_eq!(updated(halved(Mode::HesScale)), updated(halved(Mode::HesScale).fused_update()));
    assert!(updated(halved(Mode::HesScale)) != updated(PlanOptions::training(Mode::HesScale)));
}

#[test]
fn trainers_store_so_where_there_is_f16() {
    let optimizer = Rule::AdaHesScale { beta1: 0.9, beta2: 0.99, eps: 1e-3 }.at(0.02);
    let model = small();
    let stored_in = |storage| TrainerOptions::default().seed(3).storage(storage);
    let on_cpu = Trainer::on_cpu(&model, optimizer, stored_in(Dtype::F16)).unwrap_err();
    assert_eq!(on_cpu.to_string(), "trainer: `storage in f16 on the CPU` is not supported");
    let refused = Trainer::new(&context(), &model, optimizer, stored_in(Dtype::F16)).unwrap_err();
    assert_eq!(refused, Error::Feature { what: "storage in f16", feature: "SHADER_F16" });
    let Some(context) = half_context() else { return };
    let sample = Sample::new(small(), 9, 2);
    let gradient = |options| {
        let mut trainer = Trainer::new(&context, &model, optimizer, options).unwrap();
        trainer.gradient(&sample.x, sample.targets.view()).unwrap().0
    };
    let (exact, stored) = (gradient(stored_in(Dtype::F32)), gradient(stored_in(Dtype::F16)));
    assert!(exact != stored);
    compare("gradient", &to_f64(&stored), &to_f64(&exact), bound(&model)).unwrap();
    // A trainer's own device has what it needs.
    let request = request(false).adapter(Some(context.describe()));
    let made = Trainer::request_with(&request, &model, optimizer, stored_in(Dtype::F16));
    let mut trainer = pollster::block_on(made).unwrap();
    for _ in 0..200 {
        trainer.step(&sample.x, sample.targets.view()).unwrap();
    }
    assert!(trainer.loss().unwrap() < 0.1, "{:?}", trainer.loss());
}

/// Hidden activations and signals take half the memory, the rest is unchanged.
#[test]
fn memory_is_halved_where_there_is_f16() {
    let Some(context) = half_context() else { return };
    let (batch, hidden) = (64, 256);
    let builder =
        Model::builder([32]).dense(hidden).act(Activation::Tanh).dense(hidden).act(Activation::Tanh);
    let model = builder.dense(8).loss(Loss::cross_entropy()).unwrap();
    let state = State::new(&context, &model, None).unwrap();
    let memory = |options| Plan::new(&context, &model, &state, batch, options).unwrap().memory();
    for mode in Mode::ALL {
        let (whole, half) = (memory(PlanOptions::training(mode)), memory(halved(mode)));
        // Two layers' outputs, and what their activation read.
        let stored = (4 * 2 * 2 * batch * hidden) as u64;
        assert_eq!(whole.activations - half.activations, stored / 2, "{mode:?}");
        assert_eq!(whole.signals, 2 * half.signals, "{mode:?}");
        assert_eq!(whole.parameters, half.parameters);
    }
}
