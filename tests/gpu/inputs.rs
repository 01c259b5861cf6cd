//! Layers that stand at the network's input: against the reference, in training, and with inputs that are none.

use crate::common::{compare, to_f64};
use crate::harness::{BOUND, CLASSES, Sample, bits, context, not_run, of_class, steady, submit};
use hesscale::cpu::{Executor, ExecutorOptions};
use hesscale::model::{Conv1d, HashGrid, Noise};
use hesscale::reference;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::tuning::DeviceClass;
use hesscale::wgpu::Features;
use hesscale::{
    Activation::Tanh, At, Error, Layer, Loss, Mode, Model, Optimizer, Pass, Plan, PlanOptions, State,
};

/// Grids in which corners have rows of their own and share them; rows that are no whole vec4s under a convolution; one row a
/// sample; two tables of one input, behind names and a flatten; alone.
fn tables() -> Vec<(&'static str, Model)> {
    let words = Model::builder([13]).embedding(300, 5).layer(Conv1d::new(7, 3)).act(Tanh).flatten().dense(3);
    let one = Model::builder([1]).embedding(70, 6).dense(4);
    let two =
        Model::builder([2, 3]).name("ids").flatten().layer(Layer::Identity).embedding(11, 4).name("key");
    let two = two.from("ids").flatten().embedding(13, 4).act(Tanh).multiply("key").flatten().dense(3);
    let alone = Model::builder([7]).embedding(9, 3);
    let grid = HashGrid::new().levels(4).base(3).growth(1.9);
    let plane = Model::builder([2]).layer(grid.log2_table(5).features(3)).dense(6).act(Tanh).dense(3);
    let space = Model::builder([1, 3]).flatten().layer(grid.log2_table(7)).loss(Loss::mse()).unwrap();
    vec![
        ("plane", plane.loss(Loss::cross_entropy()).unwrap()),
        ("space", space),
        ("words", words.loss(Loss::cross_entropy()).unwrap()),
        ("one", one.loss(Loss::mse()).unwrap()),
        ("two", two.loss(Loss::cross_entropy()).unwrap()),
        ("alone", alone.loss(Loss::mse()).unwrap()),
    ]
}

#[test]
fn tables_follow_the_reference() {
    for (name, model) in tables() {
        let follows = |batch: usize, mode: Mode, class: DeviceClass, kept: bool| {
            let sample = Sample::new(model.clone(), batch, 3);
            let kept = if kept { sample.places() } else { Vec::new() };
            sample
                .follows(&of_class(class), mode, &kept)
                .unwrap_or_else(|fault| panic!("{name}, {mode:?}, batch {batch}, {class:?}: {fault}"));
        };
        let first = ["words", "plane"].contains(&name);
        let modes = if first { &Mode::ALL[..] } else { &[Mode::HesScaleR2] };
        modes.iter().for_each(|mode| follows(37, *mode, DeviceClass::Software, true));
        let classes = if first { &CLASSES[..] } else { &CLASSES[2..] };
        classes.iter().for_each(|class| follows(1, Mode::HesScale, *class, false));
    }
    // Rows that many chunks of neighbours have a part in.
    let few = Model::builder([31]).embedding(2, 3).flatten().dense(3).loss(Loss::cross_entropy()).unwrap();
    Sample::new(few, 400, 4).follows(&context(), Mode::HesScaleR1, &[]).unwrap();
}

#[test]
fn tables_in_plans_of_every_kind() {
    for (turn, (name, model)) in tables().into_iter().enumerate() {
        let frozen = match name {
            "two" => "3",
            "space" => "1",
            _ => "0",
        };
        let sample = Sample::new(model, 9, 5);
        sample.follows_in_plans_of_every_kind(turn, &[frozen]);
        // With moments.
        sample.trains_beside_frozen(&of_class(CLASSES[(turn + 1) % 3]), &[]);
    }
}

/// Where a copy of the inputs lies in f16, the rows are those of the inputs themselves: 2049 is no number of f16.
#[test]
fn rows_beyond_what_f16_can_count() {
    let context = of_class(DeviceClass::Software);
    if !context.device().features().contains(Features::SHADER_F16) {
        return not_run("the adapter has no f16");
    }
    let model = Model::builder([1]).name("ids").layer(Layer::Identity).embedding(2051, 4).name("row");
    let model = model.from("ids").embedding(2051, 4).multiply("row").loss(Loss::mse()).unwrap();
    let mut sample = Sample::new(model, 3, 6);
    sample.x = vec![2049.0, 7.0, 2047.0];
    sample.follows_in_f16(&context, Mode::HesScale).unwrap();
}

/// Steps of plain gradient descent, some without curvature: the table goes where it goes on the CPU, and only rows that were
/// selected move.
#[test]
fn training_moves_the_rows_that_were_selected() {
    for (name, model) in tables() {
        let (sample, optimizer) = (Sample::new(model.clone(), 5, 6), Optimizer::sgd(0.05));
        let mode = Mode::HesScale;
        let mut executor = Executor::new(&model, 5, ExecutorOptions::training(mode)).unwrap();
        let mut parameters = sample.parameters.clone();
        for _ in 0..4 {
            let targets = sample.targets.view();
            executor.pass(mode, &parameters, &sample.x, targets, Noise::default()).unwrap();
            parameters.iter_mut().zip(executor.gradient()).for_each(|(p, g)| *p -= 0.05 * g);
        }
        let context = context();
        let state = State::new(&context, &model, Some(optimizer)).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let options = PlanOptions::training(mode).fused_update().lazy();
        let plan = Plan::new(&context, &model, &state, 5, options).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        for step in 0..4 {
            let pass = if step == 2 { Pass::FULL.without_curvature() } else { Pass::FULL };
            submit(&context, |encoder| plan.record_step(encoder, pass).unwrap());
        }
        let got = context.read_blocking(&[state.parameters()]).unwrap().remove(0);
        compare("parameters", &to_f64(&got[..parameters.len()]), &to_f64(&parameters), BOUND)
            .unwrap_or_else(|fault| panic!("{name}: {fault}"));
        for p in model.parameters() {
            let Layer::Embedding(table) = &model.layers()[p.layer] else { continue };
            let rows =
                |flat: &[f32]| -> Vec<Vec<u32>> { flat[p.range()].chunks(table.width).map(bits).collect() };
            let (before, after) = (rows(&sample.parameters), rows(&got));
            for (row, (before, after)) in before.iter().zip(&after).enumerate() {
                let selected = sample.x.contains(&(row as f32));
                assert_eq!(before != after, selected, "{name}: row {row} of {}", p.name());
            }
        }
    }
}

/// Entries are summed in order, whatever else is summed.
#[test]
fn gradients_have_the_same_bits_with_any_curvature_and_every_time() {
    for (name, model) in tables() {
        let sample = Sample::new(model, 40, 7);
        let of = |mode| bits(&sample.on(&context(), PlanOptions::training(mode)).gradient);
        let plain = of(Mode::None);
        for mode in [Mode::None, Mode::HesScale, Mode::HesScaleR2] {
            assert_eq!(of(mode), plain, "{name} {mode:?}");
        }
    }
}

/// A number that selects no row: told before it is written; where the host's own commands have written it, seen in that sample's
/// outputs and in the word that a step leaves.
#[test]
fn what_selects_no_row() {
    let (_, model) = tables().swap_remove(3);
    let sample = Sample::new(model.clone(), 3, 8);
    let context = context();
    for bad in [70.0, -1.0, 0.5, f32::NAN] {
        let state = State::new(&context, &model, Some(steady())).unwrap();
        state.write_parameters(&sample.parameters).unwrap();
        let plan = Plan::new(&context, &model, &state, 3, PlanOptions::training(Mode::HesScale)).unwrap();
        plan.write_input(&sample.x).unwrap();
        plan.write_targets(sample.targets.view()).unwrap();
        let refused = plan.write_input(&[0.0, 1.0, bad]).unwrap_err();
        let told = matches!(&refused, Error::NoRow { layer, index: 2, value, rows: 70 }
            if layer == "embedding 0" && value.to_bits() == bad.to_bits());
        assert!(told, "{refused}");
        let input = plan.input();
        context.queue().write_buffer(input.buffer(), input.bytes().start + 4, &bad.to_le_bytes());
        submit(&context, |encoder| plan.record_step(encoder, Pass::FULL).unwrap());
        let logits = context.read_blocking(&[plan.logits()]).unwrap().remove(0);
        let spoilt: Vec<bool> = logits.chunks(4).map(|row| row.iter().all(|z| z.is_nan())).collect();
        assert_eq!(spoilt, [false, true, false], "{bad}");
        assert!(matches!(state.read_divergence(), Err(Error::Diverged { .. })), "{bad}");
    }
    let options = TrainerOptions::default;
    for mut trainer in [
        Trainer::new(&context, &model, steady(), options()).unwrap(),
        Trainer::on_cpu(&model, steady(), options()).unwrap(),
    ] {
        trainer.set_parameters(&sample.parameters).unwrap();
        let none = |refused: Error| matches!(refused, Error::NoRow { index: 1, rows: 70, .. });
        assert!(none(trainer.predict(&[1.0, 70.0, 2.0]).unwrap_err()));
        assert!(none(trainer.step(&[1.0, 70.0, 2.0], sample.targets.view()).unwrap_err()));
        let (parameters, x) = (to_f64(&sample.parameters), to_f64(&sample.x));
        let want = reference::predict(&model, &parameters, &x).unwrap();
        compare("outputs", &to_f64(&trainer.predict(&sample.x).unwrap()), &want, BOUND).unwrap();
    }
}

#[test]
fn a_sample_of_too_many_numbers() {
    let model = Model::builder([4097]).embedding(2, 1).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let refused = Plan::new(&context(), &model, &state, 1, PlanOptions::training(Mode::None)).unwrap_err();
    let (place, limit) = ("embedding 0".into(), "selections of a sample");
    assert_eq!(refused, Error::Limit { place, limit, needed: 4097, available: 4096 });
    // Nothing is summed at inference, nor where only the signal is asked for.
    Plan::new(&context(), &model, &state, 1, PlanOptions::inference().activation(At::Layer(0))).unwrap();
    let model = Model::builder([4096]).embedding(2, 1).loss(Loss::mse()).unwrap();
    let state = State::new(&context(), &model, None).unwrap();
    let refused = Plan::new(&context(), &model, &state, 1025, PlanOptions::training(Mode::None)).unwrap_err();
    let (place, limit) = ("embedding 0".into(), "selections of a batch");
    assert_eq!(refused, Error::Limit { place, limit, needed: 4_198_400, available: 4_194_304 });
}

/// Encodings at the input and behind layers, of rows and of images, in others' place.
#[test]
fn encodings_follow_the_reference() {
    let frequencies = |octaves| Layer::FrequencyEncoding { octaves };
    let blob = |bins| Layer::OneBlob { bins };
    let first = Model::builder([3]).layer(frequencies(4)).dense(9).act(Tanh).layer(blob(5)).dense(2);
    let image =
        Model::builder([2, 4, 5]).layer(blob(6)).conv2d(3, 2).act(Tanh).layer(frequencies(2)).conv2d(5, 2);
    let last = Model::builder([5]).dense(3).layer(frequencies(1));
    let networks = [
        ("first", first.loss(Loss::cross_entropy()).unwrap()),
        ("image", image.flatten().dense(3).loss(Loss::mse()).unwrap()),
        ("last", last.loss(Loss::mse()).unwrap()),
    ];
    for (turn, (name, model)) in networks.into_iter().enumerate() {
        let sample = Sample::new(model, 37, 3);
        for (mode, class) in [
            (Mode::HesScale, DeviceClass::Software),
            (Mode::HesScaleGn, DeviceClass::Integrated),
            (Mode::HesScaleR2, DeviceClass::Discrete),
        ] {
            for kept in [sample.places(), Vec::new()] {
                sample
                    .follows(&of_class(class), mode, &kept)
                    .unwrap_or_else(|fault| panic!("{name}, {mode:?}, {class:?}: {fault}"));
            }
        }
        sample.follows_in_plans_of_every_kind(turn, &[]);
    }
}

/// A plan that predicts has no samples that do not count, whatever its options say.
#[test]
fn what_selects_no_row_in_a_plan_that_predicts() {
    let (_, model) = tables().swap_remove(3);
    let state = State::new(&context(), &model, None).unwrap();
    let plan = Plan::new(&context(), &model, &state, 3, PlanOptions::inference().partial()).unwrap();
    assert!(matches!(plan.write_input(&[0.0, 70.0, 1.0]), Err(Error::NoRow { index: 1, .. })));
}
