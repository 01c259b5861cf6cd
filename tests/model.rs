//! The model as data: what the builder makes, what JSON keeps, and what neither lets through.

use hesscale::model::{ClassTargets, Init, Reduction, Role, Rule, Variance};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model, Optimizer};

fn dense(inputs: usize, outputs: usize, bias: bool) -> Layer {
    Layer::Dense { inputs, outputs, bias }
}

/// Every loss, every option at a value that is not its default.
fn losses() -> Vec<Loss> {
    let mut losses = vec![Loss::cross_entropy(), Loss::mse()];
    for reduction in [Reduction::Mean, Reduction::Sum] {
        losses.extend([
            Loss::Mse { reduction },
            Loss::BceWithLogits { reduction },
            Loss::GaussianNll { reduction, var: Variance::Log },
            Loss::GaussianNll { reduction, var: Variance::Softplus },
        ]);
        for targets in [ClassTargets::ClassIndex, ClassTargets::Soft] {
            losses.push(Loss::SoftmaxCrossEntropy {
                targets,
                reduction,
                class_weights: Some(vec![0.5, 0.1, 3.0, 0.0]),
                label_smoothing: 0.1,
                ignore_index: Some(7),
            });
        }
    }
    losses
}

/// Every activation, those with a number twice.
fn activations() -> Vec<Activation> {
    let given = [Activation::LeakyRelu { alpha: 0.3 }, Activation::Elu { alpha: 1.7 }];
    Activation::ALL.into_iter().chain(given).collect()
}

fn with(layers: Vec<Layer>) -> Result<Model, Error> {
    Model::new([4], layers, Loss::mse())
}

#[test]
fn the_builder_finds_the_sizes() {
    let builder = Model::builder([2, 3, 1]).layer(Layer::Flatten).dense(5).act(Activation::Tanh);
    let model = builder.dense_no_bias(4).loss(Loss::cross_entropy()).unwrap();
    let layers = vec![Layer::Flatten, dense(6, 5, true), Layer::Act(Activation::Tanh), dense(5, 4, false)];
    assert_eq!(model, Model::new([2, 3, 1], layers, Loss::cross_entropy()).unwrap());
    assert_eq!((model.inputs(), model.outputs(), model.parameter_count()), (6, 4, 55));
    assert_eq!(
        (model.input_shape(), model.shape(0), model.output_shape()),
        (&[2, 3, 1][..], &[6][..], &[4][..])
    );
    assert_eq!(model.layer_name(1), "dense 1");
    assert_eq!(model.layer_name(2), "tanh 2");
}

#[test]
fn parameters_lie_at_multiples_of_64() {
    let model = Model::builder([9]).dense(8).dense_no_bias(8).dense(1).loss(Loss::mse()).unwrap();
    let places: Vec<_> = model.parameters().iter().map(|p| (p.name(), p.offset, p.shape.clone())).collect();
    let expected = [
        ("0.weight", 0, vec![8, 9]),
        ("0.bias", 128, vec![8]),
        ("1.weight", 192, vec![8, 8]),
        ("2.weight", 256, vec![1, 8]),
        ("2.bias", 320, vec![1]),
    ];
    assert_eq!(places, expected.map(|(name, offset, shape)| (name.to_owned(), offset, shape)));
    assert_eq!(model.flat_len(), 384);
    assert!(model.parameter(1, Role::Bias).is_none());
    assert_eq!(model.parameter(2, Role::Weight).unwrap().range(), 256..264);
}

#[test]
fn initial_weights_are_bounded_and_the_same_for_the_same_seed() {
    let model = Model::builder([20]).dense(30).act(Activation::Relu).dense(3).loss(Loss::mse()).unwrap();
    let flat = model.init(Init::Auto, 1);
    assert_eq!(flat, model.init(Init::Auto, 1));
    assert_ne!(flat, model.init(Init::Auto, 2));
    for (layer, bound) in [(0, (6.0_f32 / 20.0).sqrt()), (2, (6.0_f32 / 33.0).sqrt())] {
        let weights = &flat[model.parameter(layer, Role::Weight).unwrap().range()];
        let largest = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
        assert!(largest <= bound && largest > 0.8 * bound, "{layer}: {largest} {bound}");
        assert!(flat[model.parameter(layer, Role::Bias).unwrap().range()].iter().all(|b| *b == 0.0));
    }
}

#[test]
fn json_keeps_every_layer_and_loss() {
    for loss in losses() {
        let mut builder = Model::builder([2, 2]).layer(Layer::Flatten);
        for activation in activations() {
            builder = builder.act(activation);
        }
        let model = builder.dense(3).dense_no_bias(4).loss(loss).unwrap();
        let text = model.to_json();
        assert_eq!(Model::from_json(&text).unwrap(), model, "{text}");
        // As serde alone does it, inside a host's own file.
        assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model);
    }
}

#[test]
fn json_keeps_modes_and_optimizers() {
    for mode in Mode::ALL {
        let text = serde_json::to_string(&mode).unwrap();
        assert_eq!(serde_json::from_str::<Mode>(&text).unwrap(), mode);
    }
    let momentum = Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.1).with_weight_decay(0.01);
    for optimizer in
        [momentum, Optimizer::adam(0.1), Optimizer::ada_hesscale(0.2), Optimizer::ada_hesscale_gn(0.3)]
    {
        let text = serde_json::to_string(&optimizer).unwrap();
        assert_eq!(serde_json::from_str::<Optimizer>(&text).unwrap(), optimizer, "{text}");
    }
}

#[test]
fn json_written_by_hand() {
    let text = r#"{"input": [8], "note": "unknown fields are ignored", "layers": [
        {"type": "dense", "in": 8, "out": 2},
        {"type": "act", "fn": "leaky_relu"},
        {"type": "act", "fn": "elu"},
        {"type": "flatten"},
        {"type": "dense", "in": 2, "out": 2, "bias": false}
    ], "loss": {"type": "softmax_ce"}}"#;
    let builder = Model::builder([8]).dense(2).act(Activation::LeakyRelu { alpha: 0.01 });
    let builder = builder.act(Activation::Elu { alpha: 1.0 }).layer(Layer::Flatten).dense_no_bias(2);
    assert_eq!(Model::from_json(text).unwrap(), builder.loss(Loss::cross_entropy()).unwrap());
}

fn json_error(layers: &str, loss: &str) -> Error {
    Model::from_json(&format!(r#"{{"input": [4], "layers": [{layers}], "loss": {loss}}}"#)).unwrap_err()
}

#[test]
fn json_that_is_no_model() {
    let mse = r#"{"type": "mse"}"#;
    let good = r#"{"type": "dense", "in": 4, "out": 2}"#;
    let unsupported = Error::Unsupported { layer: "layer 1".into(), kind: "lstm".into() };
    assert_eq!(json_error(&format!(r#"{good}, {{"type": "lstm"}}"#), mse), unsupported);
    assert_eq!(unsupported.to_string(), "layer 1: `lstm` is not supported");
    let no_type = Error::Unsupported { layer: "layer 0".into(), kind: String::new() };
    assert_eq!(json_error(r#"{"out": 3}"#, mse), no_type);
    for (layers, loss, needle) in [
        (r#"{"type": "dense", "out": 2}"#, mse, "layer 0 (dense)"),
        (r#"{"type": "dense", "in": -4, "out": 2}"#, mse, "layer 0 (dense)"),
        (r#"{"type": "act", "fn": "swash"}"#, mse, "swash"),
        (good, r#"{"type": "hinge"}"#, "hinge"),
        (good, r#"{"type": "gaussian_nll"}"#, "var"),
    ] {
        match json_error(layers, loss) {
            Error::Json(text) => assert!(text.contains(needle), "{needle}: {text}"),
            other => panic!("{needle}: {other:?}"),
        }
    }
    for text in ["", "[]", "{", r#"{"input": [4], "layers": []}"#] {
        assert!(matches!(Model::from_json(text), Err(Error::Json(_))), "{text}");
    }
    // What JSON can say and no model can be.
    let shape = Error::Shape { layer: "dense 0".into(), got: vec![4], needed: "[3]".into() };
    assert_eq!(json_error(r#"{"type": "dense", "in": 3, "out": 2}"#, mse), shape);
    assert_eq!(json_error("", mse), Error::EmptyModel);
}

#[test]
fn shapes_that_do_not_fit() {
    let shape = |layer: &str, got: &[usize], needed: &str| Error::Shape {
        layer: layer.into(),
        got: got.to_vec(),
        needed: needed.into(),
    };
    let zero = |place: &str, what| Error::ZeroSize { place: place.into(), what };
    let tanh = || Layer::Act(Activation::Tanh);
    let second = with(vec![dense(4, 3, true), tanh(), dense(5, 2, true)]).unwrap_err();
    assert_eq!(second, shape("dense 2", &[3], "[5]"));
    assert_eq!(second.to_string(), "dense 2: its input has shape [3], but it needs [5]");
    assert_eq!(with(vec![dense(4, 0, true)]).unwrap_err(), zero("dense 0", "out"));
    assert_eq!(with(vec![tanh(), dense(0, 3, true)]).unwrap_err(), zero("dense 1", "in"));
    assert_eq!(with(vec![]).unwrap_err(), Error::EmptyModel);
    let image = Model::new([2, 2], vec![dense(4, 2, true)], Loss::mse()).unwrap_err();
    assert_eq!(image, shape("dense 0", &[2, 2], "[4]"));
    let built = Model::builder([2, 2]).act(Activation::Tanh).dense(2).loss(Loss::mse()).unwrap_err();
    assert_eq!(built, shape("dense 1", &[2, 2], "[in]: put a flatten before it"));
    let built = Model::builder([4]).dense(0).dense(2).loss(Loss::mse()).unwrap_err();
    assert_eq!(built, zero("dense 0", "out"));
    for input in [vec![], vec![0], vec![3, 0]] {
        let got = Model::new(input.clone(), vec![Layer::Flatten], Loss::mse()).unwrap_err();
        assert_eq!(got, zero("input", "a dimension"), "{input:?}");
        assert_eq!(
            Model::builder(input).dense(2).loss(Loss::mse()).unwrap_err(),
            zero("input", "a dimension")
        );
    }
}

#[test]
fn sizes_that_cannot_be_counted() {
    let huge = with(vec![dense(4, 1 << 31, true)]).unwrap_err();
    assert!(matches!(&huge, Error::Shape { layer, .. } if layer == "dense 0"), "{huge:?}");
    let image =
        Model::new([1 << 30, 1 << 30, 1 << 30], vec![Layer::Act(Activation::Tanh)], Loss::mse()).unwrap_err();
    assert!(matches!(&image, Error::Shape { .. }), "{image:?}");
    let flat =
        Model::builder([1 << 30, 1 << 30, 1 << 30]).layer(Layer::Flatten).loss(Loss::mse()).unwrap_err();
    assert!(matches!(&flat, Error::Shape { .. }), "{flat:?}");
}

#[test]
fn numbers_out_of_their_domain() {
    for alpha in [f64::NAN, f64::INFINITY, 1e300] {
        let got = with(vec![dense(4, 2, true), Layer::Act(Activation::LeakyRelu { alpha })]).unwrap_err();
        assert!(
            matches!(&got, Error::Value { place, name: "alpha", value, needed: "finite" }
                if place == "leaky_relu 1" && value.to_bits() == alpha.to_bits()),
            "{got:?}"
        );
    }
    let loss = |class_weights, label_smoothing| Loss::SoftmaxCrossEntropy {
        targets: ClassTargets::ClassIndex,
        reduction: Reduction::Mean,
        class_weights,
        label_smoothing,
        ignore_index: None,
    };
    let fails = |loss| Model::builder([4]).dense(3).loss(loss).unwrap_err();
    for smoothing in [-0.5, 1.5, f32::NAN] {
        let got = fails(loss(None, smoothing));
        assert!(
            matches!(&got, Error::Value { place, name: "label_smoothing", .. } if place == "loss"),
            "{got:?}"
        );
    }
    let length = Error::Length { tensor: "loss: class_weights".into(), got: 2, needed: 3 };
    assert_eq!(fails(loss(Some(vec![1.0; 2]), 0.0)), length);
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let got = fails(loss(Some(vec![1.0, weight, 1.0]), 0.0));
        assert!(
            matches!(&got, Error::Value { place, name: "class weight", .. } if place == "loss"),
            "{got:?}"
        );
    }
}

#[test]
fn losses_that_do_not_fit_the_outputs() {
    let shape = |got: &[usize], needed: &str| Error::Shape {
        layer: "loss".into(),
        got: got.to_vec(),
        needed: needed.into(),
    };
    let gaussian = Loss::GaussianNll { reduction: Reduction::Mean, var: Variance::Log };
    let odd = Model::builder([4]).dense(3).loss(gaussian.clone()).unwrap_err();
    assert_eq!(odd, shape(&[3], "[2 K]: K means, then K variance heads"));
    let image = || Model::builder([2, 2]).act(Activation::Tanh);
    assert_eq!(image().loss(gaussian).unwrap_err(), shape(&[2, 2], "[2 K]: K means, then K variance heads"));
    assert_eq!(image().loss(Loss::cross_entropy()).unwrap_err(), shape(&[2, 2], "[classes]"));
    assert!(image().loss(Loss::mse()).is_ok());
    let fits = Model::builder([4]).dense(4).loss(Loss::cross_entropy()).unwrap();
    assert!(fits.with_loss(Loss::GaussianNll { reduction: Reduction::Sum, var: Variance::Softplus }).is_ok());
}

#[test]
fn numbers_of_an_optimizer() {
    let name = |optimizer: Optimizer| match optimizer.validate() {
        Err(Error::Value { place, name, .. }) if place == "optimizer" => Some(name),
        Err(other) => panic!("{other:?}"),
        Ok(()) => None,
    };
    assert_eq!(name(Optimizer::adam(0.0)), None);
    for rate in [f32::NAN, f32::INFINITY, -1e-9] {
        assert_eq!(name(Optimizer::sgd(rate)), Some("learning rate"));
        assert_eq!(name(Optimizer::sgd(0.1).with_weight_decay(rate)), Some("weight decay"));
    }
    for fraction in [f32::NAN, -0.1, 1.0] {
        assert_eq!(name(Rule::Sgd { momentum: fraction, nesterov: false }.at(0.1)), Some("momentum"));
        let adam = |beta1, beta2| Rule::Adam { beta1, beta2, eps: 1e-8 }.at(0.1);
        assert_eq!(name(adam(fraction, 0.9)), Some("beta1"));
        assert_eq!(name(adam(0.9, fraction)), Some("beta2"));
    }
    for eps in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(name(Rule::AdaHesScale { beta1: 0.9, beta2: 0.9, eps }.at(0.1)), Some("eps"));
        assert_eq!(name(Rule::AdaHesScaleGn { beta1: 0.9, beta2: 0.9, eps }.at(0.1)), Some("eps"));
    }
}
