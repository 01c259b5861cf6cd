//! Layers that stand at the network's input: what they take, and where.

use hesscale::model::{Embedding, HashGrid, Init, Role};
use hesscale::{Activation::Tanh, Error, Layer, Loss, Model};

fn of(input: &[usize], layers: Vec<Layer>) -> Result<Model, Error> {
    Model::new(input, layers, Loss::mse())
}

#[test]
fn shapes_and_parameters() {
    let table = || Layer::from(Embedding::new(30, 5));
    let model = of(&[7], vec![table()]).unwrap();
    assert_eq!((model.shape(0), model.parameters().len()), (Ok(&[5, 7][..]), 1));
    let weight = model.parameter(0, Role::Weight).unwrap();
    assert_eq!((weight.name(), &weight.shape[..]), ("0.weight".into(), &[30, 5][..]));
    assert_eq!(of(&[1], vec![table()]).unwrap().output_shape(), [5]);
    let text = r#"{"input":[7],"layers":[{"type":"embedding","count":30,"width":5}],"loss":{"type":"mse"}}"#;
    assert_eq!(Model::from_json(text), Ok(model.clone()));
    assert_eq!(Model::from_json(&model.to_json()), Ok(model.clone()));
    // Of variance 1, whatever is behind.
    let numbers = model.init(Init::He, 3).unwrap();
    let variance = numbers[..150].iter().map(|x| x * x).sum::<f32>() / 150.0;
    assert!((0.7..1.3).contains(&variance) && numbers.iter().all(|x| x.abs() < 1.74), "{variance}");
}

#[test]
fn sizes_that_are_none() {
    let of =
        |input: &[usize], count, width| of(input, vec![Embedding::new(count, width).into()]).unwrap_err();
    let zero = |what| Error::ZeroSize { place: "embedding 0".into(), what };
    assert_eq!(of(&[2], 0, 3), zero("count"));
    assert_eq!(of(&[2], 3, 0), zero("width"));
    let (place, needed) = ("embedding 0".into(), "at most 2^24");
    assert_eq!(
        of(&[2], (1 << 24) + 1, 1),
        Error::Value { place, name: "count", value: 16_777_217.0, needed }
    );
    assert!(matches!(of(&[2, 3], 4, 4), Error::Shape { layer, .. } if layer == "embedding 0"));
    assert!(matches!(of(&[2], 1 << 24, 1 << 12), Error::Shape { .. }));
    assert!(matches!(of(&[2], 4, usize::MAX), Error::Shape { .. }));
}

#[test]
fn only_at_the_input() {
    let table = || Layer::from(Embedding::new(30, 5));
    let name = || Layer::Name { name: "ids".into() };
    let before =
        [vec![Layer::Identity], vec![Layer::Flatten, name()], vec![name(), Layer::Identity, Layer::Flatten]];
    for mut layers in before {
        layers.push(table());
        assert!(of(&[3], layers.clone()).is_ok(), "{layers:?}");
    }
    let behind = |layer: &str, other: &str| {
        let kind = format!("a place behind {other}: it reads the network's own inputs");
        Err(Error::Unsupported { layer: layer.into(), kind })
    };
    assert_eq!(of(&[3], vec![Tanh.into(), Layer::Identity, table()]), behind("embedding 2", "tanh 0"));
    let block =
        |body| Layer::Residual { body, projection: vec![Layer::Dense { inputs: 1, outputs: 5, bias: true }] };
    assert!(of(&[1], vec![block(vec![table()])]).is_ok());
    let dropped = vec![Layer::Dropout { p: 0.5 }, block(vec![table()])];
    assert_eq!(of(&[1], dropped), behind("embedding 1.body.0", "dropout 0"));
    // A builder says so at the end, and does not mistake a name for another layer.
    let named = Model::builder([1]).name("ids").dense(5).residual(|body| body.from("ids").embedding(4, 5));
    assert!(named.loss(Loss::mse()).is_ok());
}

#[test]
fn inputs_that_select() {
    let model = Model::builder([2]).embedding(3, 2).loss(Loss::mse()).unwrap();
    assert_eq!(model.check_inputs(&[0.0, 2.0, -0.0, 1.0]), Ok(()));
    let (layer, rows) = ("embedding 0".into(), 3);
    let refused = model.check_inputs(&[0.0, 2.0, 1.5, 3.0]).unwrap_err();
    assert_eq!(refused, Error::NoRow { layer, index: 2, value: 1.5, rows });
    let said =
        "embedding 0: input 2 is 1.5; it selects one of 3 rows, so it must be a whole number below that";
    assert_eq!(refused.to_string(), said);
    let any = Model::builder([2]).dense(3).loss(Loss::mse()).unwrap();
    assert_eq!(any.check_inputs(&[f32::NAN; 2]), Ok(()));
}

#[test]
fn encodings() {
    let written = |text: &str| {
        let text = format!(r#"{{"input":[3,4],"layers":[{text}],"loss":{{"type":"mse"}}}}"#);
        Model::from_json(&text)
    };
    let frequencies = written(r#"{"type":"frequencyencoding","octaves":5}"#).unwrap();
    assert_eq!(frequencies.output_shape(), [30, 4]);
    assert_eq!(written(r#"{"type":"oneblob","bins":7}"#).unwrap().output_shape(), [21, 4]);
    assert_eq!(Model::from_json(&frequencies.to_json()), Ok(frequencies));
    let of = |layer| of(&[2], vec![layer]).unwrap_err();
    let frequency = |octaves| of(Layer::FrequencyEncoding { octaves });
    let place = || "frequencyencoding 0".to_owned();
    assert_eq!(frequency(0), Error::ZeroSize { place: place(), what: "octaves" });
    let (name, needed) = ("octaves", "at most 32");
    assert_eq!(frequency(33), Error::Value { place: place(), name, value: 33.0, needed });
    let place = || "oneblob 0".to_owned();
    assert_eq!(of(Layer::OneBlob { bins: 0 }), Error::ZeroSize { place: place(), what: "bins" });
    let (name, needed) = ("bins", "at most 256");
    assert_eq!(of(Layer::OneBlob { bins: 257 }), Error::Value { place: place(), name, value: 257.0, needed });
}

#[test]
fn grids() {
    let model = of(&[3], vec![HashGrid::new().into()]).unwrap();
    assert_eq!(model.output_shape(), [32]);
    let weight = model.parameter(0, Role::Weight).unwrap();
    assert_eq!((weight.name(), &weight.shape[..]), ("0.weight".into(), &[16, 1 << 14, 2][..]));
    assert_eq!(Model::from_json(&model.to_json()), Ok(model.clone()));
    let numbers = model.init(Init::Auto, 3).unwrap();
    let largest = numbers.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    assert!((0.9e-4..=1e-4).contains(&largest), "{largest}");
    let of = |grid: HashGrid| of(&[2], vec![grid.into()]).unwrap_err();
    let (new, place) = (HashGrid::new, || "hashgrid 0".to_owned());
    assert_eq!(of(new().levels(0)), Error::ZeroSize { place: place(), what: "levels" });
    for (grid, name) in [
        (new().levels(33), "levels"),
        (new().features(9), "features"),
        (new().log2_table(25), "log2_table"),
        (new().base((1 << 20) + 1), "base"),
        (new().growth(0.99), "growth"),
        (new().growth(2.2), "growth"),
        (new().growth(f64::NAN), "growth"),
        (new().levels(1).growth(f64::INFINITY), "growth"),
    ] {
        let refused = of(grid);
        let told = matches!(&refused, Error::Value { place, name: told, .. } if place == "hashgrid 0" && *told == name);
        assert!(told, "{refused}");
    }
    for input in [&[1][..], &[4], &[2, 3]] {
        let refused = Model::new(input, vec![new().into()], Loss::mse()).unwrap_err();
        let needed = "[2] or [3], points".into();
        assert_eq!(refused, Error::Shape { layer: place(), got: input.into(), needed });
    }
    let behind = Model::builder([3]).dense(2).layer(new()).loss(Loss::mse()).unwrap_err();
    assert!(matches!(behind, Error::Unsupported { layer, .. } if layer == "hashgrid 1"));
}
