//! Arbitrary tile tables: each entry is refused or gives correct results.

use crate::harness::{Sample, request, spared};
use hesscale::tuning::{DeviceClass, TileTable};
use hesscale::{Activation, Context, Error, Loss, Mode, Model, PlanOptions};

fn with_table(table: TileTable, class: DeviceClass) -> Context {
    let mut request = request(false);
    request.options = request.options.tiles(table).class(class);
    pollster::block_on(Context::request_with(&request)).unwrap()
}

/// Joined and not: loss, logits, gradient, diagonal against the reference.
fn agrees(sample: &Sample, table: &TileTable, class: DeviceClass) {
    let context = with_table(table.clone(), class);
    for fewer in [true, false] {
        let options = PlanOptions::training(Mode::HesScale).whole_network(false).fewer_dispatches(fewer);
        let got = sample.on(&context, options);
        sample
            .judge(&got, Mode::HesScale, &[])
            .unwrap_or_else(|error| panic!("{class:?}, joined {fewer}: {error}\n{}", table.to_json()));
    }
}

#[test]
fn a_workgroup_that_cannot_be_halved() {
    let model = Model::builder([8]).dense(4).loss(Loss::cross_entropy()).unwrap();
    let sample = Sample::new(model, 9, 1);
    let text = r#"{ "adapter": "", "entries": [{ "usage": "forward", "components": 1, "size": null,
        "tile": { "family": "registers", "rows": 3, "vectors": 1, "width": 12, "height": 3 } }] }"#;
    let table = TileTable::from_json(text).unwrap();
    DeviceClass::ALL.into_iter().for_each(|class| agrees(&sample, &table, class));
}

/// One value of a table, often a sensible one.
fn number(random: &mut fastrand::Rng, likely: &[u32]) -> u32 {
    match random.u32(..8) {
        0 => random.u32(..70),
        1 => [0, 1, u32::MAX, 1 << 16][random.usize(..4)],
        _ => likely[random.usize(..likely.len())],
    }
}

fn table(random: &mut fastrand::Rng) -> String {
    let usages = [
        "forward",
        "signal",
        "parameters",
        "convolution_forward",
        "convolution_signal",
        "convolution_parameters",
    ];
    let entries: Vec<String> = (0..1 + random.usize(..4))
        .map(|_| {
            let usage = usages[random.usize(..usages.len())];
            let components = number(random, &[1, 1, 2, 2]);
            let size = match random.bool() {
                true => "null".to_owned(),
                false => format!("{:?}", [9, 8, 4].map(|size| number(random, &[size, 2 * size, 4, 16]))),
            };
            let family = match random.u32(..4) {
                0 => {
                    let (steps, buffers) = (number(random, &[4, 8, 16]), number(random, &[1, 2]));
                    format!(r#"{{"workgroup":{{"steps":{steps},"buffers":{buffers}}}}}"#)
                }
                1 => r#""sliced""#.to_owned(),
                _ => r#""registers""#.to_owned(),
            };
            let rows = number(random, &[1, 2, 3, 4, 5, 8, 12, 16]);
            let vectors = number(random, &[1, 1, 2, 3, 4]);
            let width = number(random, &[1, 2, 3, 4, 5, 8, 12, 16]);
            let height = number(random, &[1, 1, 2, 3, 4, 8]);
            format!(
                r#"{{"usage":"{usage}","components":{components},"size":{size},"tile":{{"family":{family},"rows":{rows},"vectors":{vectors},"width":{width},"height":{height}}}}}"#
            )
        })
        .collect();
    format!(r#"{{"adapter":"","entries":[{}]}}"#, entries.join(","))
}

#[test]
fn random_tables_are_refused_or_right() {
    let mut random = fastrand::Rng::with_seed(13);
    let dense =
        Model::builder([8]).dense(12).act(Activation::Tanh).dense(4).loss(Loss::cross_entropy()).unwrap();
    let odd = Model::builder([7]).dense(10).act(Activation::Silu).dense(3).loss(Loss::mse()).unwrap();
    let image = Model::builder([2, 6, 6]).conv2d(5, 3).act(Activation::Tanh).flatten().dense(3);
    let image = image.loss(Loss::cross_entropy()).unwrap();
    let samples = [Sample::new(dense, 9, 1), Sample::new(odd, 5, 2), Sample::new(image, 3, 3)];
    let (mut taken, mut refused) = (0, 0);
    while taken < if spared() { 12 } else { 24 } {
        let text = table(&mut random);
        match TileTable::from_json(&text) {
            Ok(table) => {
                agrees(&samples[taken % 3], &table, DeviceClass::ALL[taken / 3 % DeviceClass::ALL.len()]);
                taken += 1;
            }
            Err(Error::TileTable { .. }) => refused += 1,
            Err(other) => panic!("{other}: {text}"),
        }
    }
    assert!(refused > 0);
}
