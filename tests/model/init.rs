//! Initial weights: sparse and orthogonal ones.

use hesscale::model::{ConvTranspose2d, Init};
use hesscale::{Error, Loss, Model};

/// Layers whose units lie in rows, in blocks of rows, and, of a transposed convolution in groups, across blocks.
fn model() -> Model {
    let m = Model::builder([4, 5, 6]).conv2d(6, 3).layer(ConvTranspose2d::new(8, 2).groups(2)).flatten();
    m.dense(7).dense(11).loss(Loss::mse()).unwrap()
}

/// The weights of each unit of a parameter, by its definition.
fn units(shape: &[usize], groups: usize, transposed: bool, weight: &[f32]) -> Vec<Vec<f32>> {
    let taps: usize = shape[2..].iter().product();
    if !transposed {
        return weight.chunks(weight.len() / shape[0]).map(<[f32]>::to_vec).collect();
    }
    let inputs = shape[0] / groups;
    let unit = |unit: usize| {
        let (group, output) = (unit / shape[1], unit % shape[1]);
        let each = (0..inputs).flat_map(|i| (0..taps).map(move |tap| (i, tap)));
        each.map(|(i, tap)| weight[((group * inputs + i) * shape[1] + output) * taps + tap]).collect()
    };
    (0..groups * shape[1]).map(unit).collect()
}

#[test]
fn each_unit_has_its_share_of_zeros() {
    let model = model();
    for share in [0.0, 0.3, 0.9, 0.9999] {
        let flat = model.init(Init::Sparse { share }, 5).unwrap();
        for (at, name, groups) in
            [(0, "0.weight", 1), (1, "1.weight", 2), (3, "3.weight", 1), (4, "4.weight", 1)]
        {
            let p = model.parameter_named(name).unwrap();
            let units = units(&p.shape, groups, at == 1, &flat[p.range()]);
            let inputs = units[0].len();
            let zeros = ((share * inputs as f64).ceil() as usize).min(inputs - 1);
            let bound = (1.0 / inputs as f32).sqrt();
            for unit in &units {
                assert_eq!(unit.iter().filter(|w| **w == 0.0).count(), zeros, "{name}, {share}");
                assert!(unit.iter().all(|w| w.abs() <= bound), "{name}");
            }
            // Not the same ones in each.
            let places = |unit: &[f32]| unit.iter().map(|w| *w == 0.0).collect::<Vec<_>>();
            assert_eq!(
                units.iter().all(|unit| places(unit) == places(&units[0])),
                zeros == 0,
                "{name}, {share}"
            );
        }
    }
    assert_eq!(model.init(Init::Sparse { share: 0.5 }, 5), model.init(Init::Sparse { share: 0.5 }, 5));
}

#[test]
fn rows_or_columns_are_orthonormal() {
    let model = model();
    let gain = 1.5;
    let flat = model.init(Init::Orthogonal { gain }, 2).unwrap();
    for p in model.parameters().iter().filter(|p| p.shape.len() > 1) {
        let (weight, rows) = (&flat[p.range()], p.shape[0]);
        let columns = weight.len() / rows;
        let vectors: Vec<Vec<f64>> = if rows <= columns {
            weight.chunks(columns).map(|row| row.iter().map(|w| f64::from(*w)).collect()).collect()
        } else {
            let column = |c: usize| weight.iter().skip(c).step_by(columns).map(|w| f64::from(*w)).collect();
            (0..columns).map(column).collect()
        };
        for (i, a) in vectors.iter().enumerate() {
            for (j, b) in vectors.iter().enumerate() {
                let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                let want = if i == j { gain * gain } else { 0.0 };
                assert!((product - want).abs() < 1e-5, "{} {i} {j}: {product}", p.name());
            }
        }
    }
}

#[test]
fn shares_and_gains_that_are_none() {
    for init in [
        Init::Sparse { share: 1.0 },
        Init::Sparse { share: -0.1 },
        Init::Sparse { share: f64::NAN },
        Init::Orthogonal { gain: f64::INFINITY },
    ] {
        let refused = model().init(init, 1).unwrap_err();
        assert!(matches!(&refused, Error::Value { place, .. } if place == "init"), "{refused}");
    }
}
