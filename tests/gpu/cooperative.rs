//! Products by matrix units against f64 sums on an adapter that has such units; the typed error on one that has none.

use crate::common::{relative_max_norm, to_f64};
use crate::harness::{Outcome, Sample, context, host_device, not_run, request, run_with_signals};
use hesscale::model::{Reduction, Role};
use hesscale::tuning::{Cooperative, Family, Tile, TileEntry, TileTable, TileUse};
use hesscale::{
    Activation, At, Context, ContextOptions, Dtype, Error, Loss, Mode, Model, Plan, PlanOptions, Result,
    State, wgpu,
};

/// A context that uses the adapter's units, or the error if there are none.
fn request_units(tiles: impl Fn(Cooperative) -> Option<TileTable>) -> Result<Context> {
    let wanted = request(false).cooperative();
    let first = pollster::block_on(Context::request_with(&wanted))?;
    let units = first.cooperative().expect("they were granted");
    let mut options = ContextOptions::default();
    (options.tiles, options.checked) = (tiles(units), context().is_checked());
    pollster::block_on(Context::request_with(&wanted.options(options)))
}

/// The same; `None` if the adapter has no units, after checking that this was the reason for the error.
fn with_units(tiles: impl Fn(Cooperative) -> Option<TileTable>) -> Option<Context> {
    let refusal = match request_units(tiles) {
        Ok(context) => return Some(context),
        Err(refusal) => refusal,
    };
    assert!(matches!(refusal, Error::Cooperative(_)), "{refusal}");
    assert!(!adapter().features().contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX), "{refusal}");
    not_run(&refusal.to_string());
    None
}

/// The adapter that is tested, as wgpu knows it.
fn adapter() -> wgpu::Adapter {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let tested = context().device().adapter_info();
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let same = |a: &wgpu::Adapter| {
        (a.get_info().name, a.get_info().backend) == (tested.name.clone(), tested.backend)
    };
    adapters.into_iter().find(same).expect("the context has it")
}

/// Uses the units for all dense forward products and signals, whatever their size.
fn everywhere(matrices: Cooperative) -> TileTable {
    let entry = |usage, components, (rows, vectors, height)| {
        let family = Family::Cooperative { matrices, steps: if components == 3 { 32 } else { 16 } };
        let tile = Tile { family, rows, vectors, width: matrices.subgroup, height };
        TileEntry { usage, components, size: None, tile }
    };
    let shapes = [(1, (8, 1, 4)), (2, (4, 1, 4)), (4, (2, 1, 8)), (3, (4, 1, 4))];
    let uses = [TileUse::Forward, TileUse::Signal];
    let entries =
        uses.into_iter().flat_map(|usage| shapes.map(|(components, shape)| entry(usage, components, shape)));
    TileTable { adapter: "any".into(), entries: entries.collect() }
}

/// 2^-11, the relative error of rounding to f16.
const HALF: f64 = 1.0 / 2048.0;

/// The error of a sum of products as a fraction of its bound: both operands rounded to f16, the smallest relative to the largest,
/// and sums in f32.
///
/// |Δ| ≤ (2 · 2⁻¹¹ + 4 · 2⁻²⁴ √K) Σ|ab| + K 2⁻³⁰ max|a| max|b|
fn part(got: f32, terms: &[(f64, f64)], bias: f64) -> f64 {
    let value = terms.iter().map(|(a, b)| a * b).sum::<f64>() + bias;
    let size: f64 = terms.iter().map(|(a, b)| (a * b).abs()).sum();
    let top = |f: fn(&(f64, f64)) -> f64| terms.iter().map(f).fold(0.0, f64::max);
    let count = terms.len() as f64;
    let f32s = 4.0 * 2f64.powi(-24) * count.sqrt() * (size + bias.abs());
    let least = count * 2f64.powi(-30) * top(|t| t.0.abs()) * top(|t| t.1.abs());
    let part = (f64::from(got) - value).abs() / (2.0 * HALF * (1.0 + HALF) * size + f32s + least + 1e-37);
    if part.is_nan() { f64::INFINITY } else { part }
}

/// The worst fractions for a dense layer's outputs, and for g and d at its input.
fn parts(sample: &Sample, outcome: &Outcome, mode: Mode) -> [f64; 3] {
    let Sample { model, parameters, x, .. } = sample;
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let w = to_f64(&parameters[model.parameter(0, Role::Weight).unwrap().range()]);
    let b = to_f64(&parameters[model.parameter(0, Role::Bias).unwrap().range()]);
    let x = to_f64(x);
    let worst = |got: &[f32], of: &dyn Fn(usize) -> (Vec<(f64, f64)>, f64)| {
        let each = got.iter().enumerate().map(|(i, got)| {
            let (terms, bias) = of(i);
            part(*got, &terms, bias)
        });
        each.fold(0.0, f64::max)
    };
    let forward = worst(&outcome.logits, &|i| {
        let (n, o) = (i / outputs, i % outputs);
        ((0..inputs).map(|k| (x[n * inputs + k], w[o * inputs + k])).collect(), b[o])
    });
    let (g, d) = &outcome.signals[0];
    let below = |got: &[f32], signal: &[f32], power: i32| {
        let signal = to_f64(signal);
        worst(got, &|i| {
            let (n, k) = (i / inputs, i % inputs);
            let term = |o: usize| (signal[n * outputs + o], w[o * inputs + k].powi(power));
            ((0..outputs).map(term).collect(), 0.0)
        })
    };
    let (got_g, got_d) = &outcome.input_signal;
    let d = if mode.has_diagonal() { below(got_d, d, 2) } else { 0.0 };
    [forward, below(got_g, g, 1), d]
}

fn layer(inputs: usize, outputs: usize) -> Model {
    Model::builder([inputs]).dense(outputs).loss(Loss::Mse { reduction: Reduction::Sum }).unwrap()
}

/// The products of a plan that use the units.
fn by_units(context: &Context, sample: &Sample, mode: Mode) -> usize {
    let state = State::new(context, &sample.model, None).unwrap();
    let options = PlanOptions::training(mode).signal(At::Input);
    let plan = Plan::new(context, &sample.model, &state, sample.batch, options).unwrap();
    let units = context.cooperative().expect("asked for").to_string();
    plan.dispatches().filter(|(label, _)| label.ends_with(&units)).count()
}

fn on(context: &Context, sample: &Sample, mode: Mode) -> Outcome {
    let (x, targets) = (&sample.x, sample.targets.view());
    run_with_signals(context, &sample.model, mode, &sample.parameters, x, targets).unwrap()
}

#[test]
fn sums_at_the_edges_of_tiles_where_there_are_units() {
    let Some(context) = with_units(|units| Some(everywhere(units))) else { return };
    let sizes = [[1, 1, 1], [15, 16, 17], [33, 65, 63], [64, 32, 128], [17, 33, 32], [37, 130, 67]];
    let mut worst = [0.0_f64; 3];
    for (i, [batch, inputs, outputs]) in sizes.into_iter().enumerate() {
        let sample = Sample::new(layer(inputs, outputs), batch, i as u64);
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR1] {
            assert_eq!(by_units(&context, &sample, mode), 2);
            let parts = parts(&sample, &on(&context, &sample, mode), mode);
            assert!(parts.iter().all(|part| *part <= 1.0), "{batch}x{inputs}x{outputs} {mode:?}: {parts:?}");
            worst = std::array::from_fn(|j| worst[j].max(parts[j]));
        }
    }
    println!("parts of the bound, forward, g, d: {worst:?}");
}

/// Far outside f16's range, and growing along k from stage to stage, so that powers are chosen again.
#[test]
fn operands_of_any_size_where_there_are_units() {
    let Some(context) = with_units(|units| Some(everywhere(units))) else { return };
    let [batch, inputs, outputs] = [19, 200, 70];
    for (of_x, of_w, growth) in
        [(30, -20, 0.0), (-40, 10, 0.0), (-20, -30, 0.1), (0, 0, -0.1), (-30, 0, 0.3), (0, 3, 0.2)]
    {
        let mut sample = Sample::new(layer(inputs, outputs), batch, 3);
        for (i, x) in sample.x.iter_mut().enumerate() {
            *x *= 2f32.powi(of_x) * 2f32.powf(growth * (i % inputs) as f32);
        }
        let weights = sample.model.parameter(0, Role::Weight).unwrap().range();
        for (i, w) in sample.parameters[weights].iter_mut().enumerate() {
            *w *= 2f32.powi(of_w) * 2f32.powf(growth * (i / inputs) as f32);
        }
        let parts = parts(&sample, &on(&context, &sample, Mode::HesScale), Mode::HesScale);
        assert!(parts.iter().all(|part| *part <= 1.0), "{of_x} {of_w} {growth}: {parts:?}");
    }
}

/// NaN or infinity in one sample spoils that sample's results, in one weight those of its output. Everything else in their tiles
/// keeps its digits: such a number decides no power of two.
#[test]
fn what_is_not_finite_spoils_no_other_sums_where_there_are_units() {
    let Some(context) = with_units(|units| Some(everywhere(units))) else { return };
    let [batch, inputs, outputs, row, column] = [19, 50, 70, 3, 5];
    let clean = Sample::new(layer(inputs, outputs), batch, 3);
    let weights = clean.model.parameter(0, Role::Weight).unwrap().range();
    let want = on(&context, &clean, Mode::HesScale);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for of_x in [true, false] {
            let mut sample = Sample::new(layer(inputs, outputs), batch, 3);
            match of_x {
                true => sample.x[row * inputs + 7] = bad,
                false => sample.parameters[weights.clone()][column * inputs + 7] = bad,
            }
            let got = on(&context, &sample, Mode::HesScale);
            let compared = |got: &[f32], want: &[f32], spoilt: &dyn Fn(usize) -> bool| {
                let of = |values: &[f32]| {
                    let kept = values.iter().enumerate().filter(|(i, _)| !spoilt(*i));
                    kept.map(|(_, x)| f64::from(*x)).collect::<Vec<_>>()
                };
                assert!((0..got.len()).all(|i| got[i].is_finite() != spoilt(i)), "{bad} {of_x}: {got:?}");
                let error = relative_max_norm(&of(got), &of(want));
                assert!(error < 2.0 * HALF, "{bad} {of_x}: {error:e}");
            };
            let spoilt = |i: usize| if of_x { i / outputs == row } else { i % outputs == column };
            compared(&got.logits, &want.logits, &spoilt);
            if of_x {
                compared(&got.input_signal.0, &want.input_signal.0, &|i| i / inputs == row);
                compared(&got.input_signal.1, &want.input_signal.1, &|i| i / inputs == row);
            }
        }
    }
}

/// More terms than one run has.
#[test]
fn long_sums_where_there_are_units() {
    let Some(context) = with_units(|units| Some(everywhere(units))) else { return };
    let sample = Sample::new(layer(20_000, 4), 3, 9);
    let parts = parts(&sample, &on(&context, &sample, Mode::HesScale), Mode::HesScale);
    assert!(parts.iter().all(|part| *part <= 1.0), "{parts:?}");
}

/// A whole network: units for large products, and their effect on the results.
#[test]
fn a_network_where_there_are_units() {
    let Some(context) = with_units(|_| None) else { return };
    let model = Model::builder([784]).dense(512).act(Activation::Tanh).dense(512).act(Activation::Tanh);
    let model = model.dense(10).loss(Loss::cross_entropy()).unwrap();
    let sample = Sample::new(model, 32, 5);
    for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR1] {
        let want = sample.reference(mode);
        // Two products forwards, one signal, and that at the input; the last layer is too small.
        assert_eq!(by_units(&context, &sample, mode), 4);
        let got = on(&context, &sample, mode);
        let error = |got: &[f32], want: &[f64]| relative_max_norm(&to_f64(got), want);
        let mut errors = vec![
            ("logits", error(&got.logits, &want.logits)),
            ("gradient", error(&got.gradient, &want.gradient)),
        ];
        if mode.has_diagonal() {
            errors.push(("diagonal", error(&got.diagonal, &want.diagonal)));
        }
        println!("{mode:?}: {errors:?}");
        // Several roundings in sequence; each was tested separately above.
        assert!(errors.iter().all(|(_, error)| *error < 4.0 * HALF), "{mode:?}: {errors:?}");
    }
}

/// With storage in f16 between the products too: units with f16 operands need the same feature.
#[test]
fn with_storage_in_f16_where_there_are_units() {
    let Some(context) = with_units(|units| Some(everywhere(units))) else { return };
    if !context.device().features().contains(wgpu::Features::SHADER_F16) {
        assert!(!context.cooperative().is_some_and(|units| units.half));
        not_run("the adapter has no f16");
        return;
    }
    let model = Model::builder([20]).dense(33).act(Activation::Tanh).dense(64).act(Activation::Tanh);
    let sample = Sample::new(model.dense(5).loss(Loss::cross_entropy()).unwrap(), 18, 6);
    let options = PlanOptions::training(Mode::HesScale).storage(Dtype::F16);
    let state = State::new(&context, &sample.model, None).unwrap();
    let plan = Plan::new(&context, &sample.model, &state, sample.batch, options.clone()).unwrap();
    let units = context.cooperative().expect("asked for").to_string();
    let both = |label: &str| label.contains(&units) && label.ends_with(" in f16");
    // Three products forwards, two signals.
    assert_eq!(plan.dispatches().filter(|(label, _)| both(label)).count(), 5);
    let (got, want) = (sample.on(&context, options), sample.reference(Mode::HesScale));
    for (name, got, want) in [
        ("logits", &got.logits, &want.logits),
        ("gradient", &got.gradient, &want.gradient),
        ("diagonal", &got.diagonal, &want.diagonal),
    ] {
        let error = relative_max_norm(&to_f64(got), want);
        assert!((1e-6..48.0 * HALF).contains(&error), "{name}: {error}");
    }
}

/// A host whose device was created without support, whatever the adapter supports.
#[test]
fn a_device_without_what_they_need_is_refused() {
    let (device, queue) = host_device(wgpu::Limits::defaults());
    let units = Cooperative { half: true, size: 16, subgroup: 32 };
    let options = ContextOptions::default().cooperative(units);
    let context = Context::from_device(&device, &queue, options);
    let model = layer(3, 2);
    let state = State::new(&context, &model, None).unwrap();
    let refusal = Plan::new(&context, &model, &state, 2, PlanOptions::training(Mode::HesScale)).unwrap_err();
    let Error::Cooperative(what) = &refusal else { panic!("{refusal}") };
    assert!(what.contains("16x16 f16") && what.contains("EXPERIMENTAL_COOPERATIVE_MATRIX"), "{what}");
}

/// They are used only on request.
#[test]
fn they_are_an_option() {
    assert_eq!(context().cooperative(), None);
}

/// A planted error exceeds the bound.
#[test]
fn a_planted_error_breaks_the_bound() {
    let terms = [(1.0, 1.0), (-1.0, 1.0), (0.5, 1.0)];
    assert!(part(0.5, &terms, 0.0) == 0.0 && part(0.502, &terms, 0.0) < 1.0);
    assert!(part(0.503, &terms, 0.0) > 1.0 && part(f32::NAN, &terms, 0.0) == f64::INFINITY);
}
