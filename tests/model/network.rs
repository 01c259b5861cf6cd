//! The builder, parameters, and models that do not fit or are too large.

use crate::{dense, losses, with};
use hesscale::model::{
    CrossEntropy, Init, Reduction, Role, Targets, Variance, discrete_policy_targets, gaussian_policy_targets,
};
use hesscale::{Activation, Error, Layer, Loss, Model};

#[test]
fn the_builder_finds_the_sizes() {
    let builder = Model::builder([2, 3, 1]).layer(Layer::Flatten).dense(5).act(Activation::Tanh);
    let model = builder.dense_no_bias(4).loss(Loss::cross_entropy()).unwrap();
    let layers = vec![Layer::Flatten, dense(6, 5, true), Layer::Act(Activation::Tanh), dense(5, 4, false)];
    assert_eq!(model, Model::new([2, 3, 1], layers, Loss::cross_entropy()).unwrap());
    assert_eq!((model.inputs(), model.outputs(), model.parameter_count()), (6, 4, 55));
    assert_eq!(
        (model.input_shape(), model.shape(0).unwrap(), model.output_shape()),
        (&[2, 3, 1][..], &[6][..], &[4][..])
    );
    assert_eq!(model.layer_name(1).unwrap(), "dense 1");
    assert_eq!(model.layer_name(2).unwrap(), "tanh 2");
    for index in [4, 99, usize::MAX] {
        let unknown = Error::Unknown { what: "layer", name: index.to_string(), known: "0 to 3".into() };
        assert_eq!(model.shape(index), Err(unknown.clone()));
        assert_eq!(model.layer_name(index), Err(unknown));
        assert_eq!(model.parameter(index, Role::Weight), None);
    }
}

#[test]
fn names_of_values_that_do_not_fit() {
    let of = |builder: hesscale::model::Builder| builder.loss(Loss::mse()).unwrap_err();
    let unsupported = |layer: &str, kind: &str| Error::Unsupported { layer: layer.into(), kind: kind.into() };
    let shape = |layer: &str, got: &[usize], needed: &str| Error::Shape {
        layer: layer.into(),
        got: got.to_vec(),
        needed: needed.into(),
    };
    let image = || Model::builder([2, 3, 4]).name("image");
    let unknown = Error::Unknown { what: "value", name: "x, for add 1".into(), known: "image".into() };
    assert_eq!(of(image().plus("x")), unknown);
    // A value is known from where it is named, not before; and within blocks as elsewhere.
    let unknown = Error::Unknown { what: "value", name: "x, for from 0".into(), known: String::new() };
    assert_eq!(of(Model::builder([2]).from("x").name("x")), unknown);
    let block = Model::builder([2]).residual_projected(|b| b.name("x").dense(3), |b| b.dense(3)).dense(2);
    assert_eq!(block.plus("x").loss(Loss::mse()).unwrap().output_shape(), [2]);
    let twice = of(image().residual(|b| b.name("image")));
    assert_eq!(twice, unsupported("name 1.body.0", "a second value with the name `image`"));
    let lost = of(Model::builder([2]).name("x").dense(3).dense(2).from("x"));
    assert_eq!(lost, unsupported("dense 2", "an output that no layer reads"));
    // What is gone on from is the layer's output, and has the whole of its signal.
    let model =
        Model::builder([2]).name("x").dense(3).name("y").from("x").concat("y").loss(Loss::mse()).unwrap();
    assert_eq!((model.shape(3).unwrap(), model.output_shape()), (&[2][..], &[5][..]));
    for (builder, layer) in [
        (image().conv2d(3, 1).plus("image"), "add 2"),
        (image().conv2d(3, 1).multiply("image"), "multiply 2"),
    ] {
        assert_eq!(of(builder), shape(layer, &[3, 3, 4], "[2, 3, 4], the shape of `image`"));
    }
    let needed = "that of `image`, [2, 3, 4], but for the first dimension";
    assert_eq!(of(image().conv2d(5, 2).concat("image")), shape("concat 2", &[5, 2, 3], needed));
    assert_eq!(of(image().flatten().concat("image")), shape("concat 2", &[24], needed));
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
    let flat = model.init(Init::Auto, 1).unwrap();
    assert_eq!(flat, model.init(Init::Auto, 1).unwrap());
    assert_ne!(flat, model.init(Init::Auto, 2).unwrap());
    for (layer, bound) in [(0, (6.0_f32 / 20.0).sqrt()), (2, (6.0_f32 / 33.0).sqrt())] {
        let weights = &flat[model.parameter(layer, Role::Weight).unwrap().range()];
        let largest = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
        assert!(largest <= bound && largest > 0.8 * bound, "{layer}: {largest} {bound}");
        assert!(flat[model.parameter(layer, Role::Bias).unwrap().range()].iter().all(|b| *b == 0.0));
    }
}

/// A model's memory and time are bounded, wherever its layers are nested.
#[test]
fn models_too_large_to_be_meant() {
    let many = |what: &'static str, got: usize, needed| Error::Value {
        place: if what == "the number of layers" { "model".into() } else { "input".into() },
        name: what,
        value: got as f64,
        needed,
    };
    let identities = |count| vec![Layer::Identity; count];
    let most = 1 << 14;
    let largest = with(identities(most)).unwrap();
    assert_eq!(largest.shape(most - 1), Ok(&[4][..]));
    assert_eq!(Model::from_json(&largest.to_json()), Ok(largest.clone()));
    assert!(largest.init(Init::Auto, 1).unwrap().is_empty());
    let layers = "the number of layers";
    assert_eq!(with(identities(most + 1)), Err(many(layers, most + 1, "at most 16384")));
    let block = |body, projection| Layer::Residual { body, projection };
    let half = most / 2;
    let within = with(vec![block(vec![block(identities(half), vec![])], identities(half))]);
    assert_eq!(within, Err(many(layers, most + 2, "at most 16384")));
    let text = largest.to_json().replacen("[{", r#"[{"type":"identity"},{"#, 1);
    let refused = Model::from_json(&text);
    assert!(
        matches!(&refused, Err(Error::Json { problem: e, .. }) if e.contains("more than 16384 layers")),
        "{refused:?}"
    );
    let dimensions = "the number of dimensions";
    assert!(Model::new(vec![1; 8], identities(1), Loss::mse()).is_ok());
    for rank in [9, 20_000] {
        let error = Err(many(dimensions, rank, "at most 8"));
        assert_eq!(Model::new(vec![1; rank], identities(1), Loss::mse()), error);
        assert_eq!(Model::builder(vec![1; rank]).act(Activation::Tanh).loss(Loss::mse()), error);
    }
    // A rectifier behind a long line of what lets all through is still found, in no time.
    let mut line = vec![dense(4, 4, true)];
    line.extend(identities(most - 2));
    line.push(Activation::Relu.into());
    let largest = |init| {
        let flat = with(line.clone()).unwrap().init(init, 1).unwrap();
        flat.into_iter().fold(0.0_f32, |most, weight| most.max(weight.abs()))
    };
    assert_eq!(largest(Init::Auto), largest(Init::He));
    assert!(largest(Init::He) > largest(Init::Glorot));
}

/// Queries with values that no model has still return, without dividing by zero.
#[test]
fn shapes_and_batches_of_nothing() {
    for loss in losses() {
        // Behind a policy's action there are two numbers; a loss of the user's own may have as many as it says.
        let says = matches!(loss, Loss::PpoDiscrete { .. } | Loss::PpoGaussian { .. } | Loss::Custom(_));
        let behind = if says { 2 } else { 0 };
        assert!(loss.target_len(&[]) <= 1 + behind, "{loss:?}");
        for output in [&[][..], &[0], &[1], &[4, 0]] {
            let factor = loss.factor(0, output);
            assert!(factor == 1.0 && loss.factor(3, output).is_finite(), "{loss:?} {output:?}: {factor}");
        }
        // More elements than can be counted, which no model has.
        for output in [[usize::MAX, 4], [4, usize::MAX], [1 << 32, 1 << 32]] {
            let many = loss.target_len(&output) >= 4;
            assert!(behind > 0 || many || loss.is_external(), "{loss:?} {output:?}");
            let factor = loss.factor(3, &output);
            assert!(factor > 0.0 && factor <= 1.0, "{loss:?} {output:?}: {factor}");
        }
    }
    let model = with(vec![dense(4, 2, true)]).unwrap();
    let huge = model.check_targets(usize::MAX, Targets::Values(&[0.0; 4]));
    assert_eq!(huge, Err(Error::Length { tensor: "targets".into(), got: 4, needed: usize::MAX }));
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
        let got = with(vec![Layer::Act(Activation::Sin { frequency: alpha })]).unwrap_err();
        assert!(matches!(&got, Error::Value { place, name: "frequency", .. } if place == "sin 0"), "{got:?}");
    }
    let got = with(vec![Layer::Act(Activation::Sin { frequency: 1e20 })]).unwrap_err();
    assert!(matches!(&got, Error::Value { name: "frequency", needed: "of a finite square", .. }), "{got:?}");
    let loss = Loss::cross_entropy;
    let fails = |loss: CrossEntropy| Model::builder([4]).dense(3).loss(loss).unwrap_err();
    for smoothing in [-0.5, 1.5, f32::NAN] {
        let got = fails(loss().label_smoothing(smoothing));
        assert!(
            matches!(&got, Error::Value { place, name: "label_smoothing", .. } if place == "loss"),
            "{got:?}"
        );
    }
    let length = Error::Length { tensor: "loss: class_weights".into(), got: 2, needed: 3 };
    assert_eq!(fails(loss().class_weights([1.0; 2])), length);
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let got = fails(loss().class_weights([1.0, weight, 1.0]));
        assert!(
            matches!(&got, Error::Value { place, name: "class weight", .. } if place == "loss"),
            "{got:?}"
        );
    }
}

#[test]
fn numbers_of_losses_out_of_their_domain() {
    let fails = |loss: Loss| match Model::builder([4]).dense(4).loss(loss) {
        Err(Error::Value { place, name, .. }) if place == "loss" => name,
        other => panic!("{other:?}"),
    };
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300, 1e300] {
        assert_eq!((fails(Loss::huber(bad)), fails(Loss::relative_mse(bad))), ("delta", "eps"), "{bad}");
        if bad != 0.0 && bad != 1e-300 {
            assert_eq!(fails(Loss::ppo_discrete(bad, 0.0)), "clip");
            assert_eq!(fails(Loss::ppo_gaussian(bad, 0.0)), "clip");
        }
    }
    for bad in [f64::NAN, f64::NEG_INFINITY, 1e300] {
        assert_eq!(fails(Loss::ppo_discrete(0.2, bad)), "entropy");
        assert_eq!(fails(Loss::ppo_gaussian(0.2, bad)), "entropy");
    }
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(fails(Loss::bce_with_pos_weight([1.0, bad, 1.0, 1.0])), "pos_weight");
    }
    let short = Model::builder([4]).dense(4).loss(Loss::bce_with_pos_weight([1.0; 3])).unwrap_err();
    assert_eq!(short, Error::Length { tensor: "loss: pos_weight".into(), got: 3, needed: 4 });
}

/// Targets of policies: rows of the action, its old log-probability, the advantage.
#[test]
fn policy_targets() {
    let length = |tensor: &str, got, needed| Err(Error::Length { tensor: tensor.into(), got, needed });
    let rows = gaussian_policy_targets(&[1.0, 2.0, 3.0, 4.0], &[-1.0, -2.0], &[0.5, -0.5]);
    assert_eq!(rows.unwrap(), [1.0, 2.0, -1.0, 0.5, 3.0, 4.0, -2.0, -0.5]);
    assert_eq!(discrete_policy_targets(&[1, 0], &[-1.0], &[0.5; 2]), length("old log-probabilities", 1, 2));
    assert_eq!(discrete_policy_targets(&[1, 0], &[-1.0; 2], &[0.5]), length("advantages", 1, 2));
    assert_eq!(gaussian_policy_targets(&[1.0; 3], &[-1.0; 2], &[0.5; 2]), length("actions", 3, 2));
    assert_eq!(gaussian_policy_targets(&[], &[], &[]), Ok(Vec::new()));

    let model = Model::builder([4]).dense(3).loss(Loss::ppo_discrete(0.2, 0.0)).unwrap();
    let check = |action: f32| model.check_targets(2, Targets::Values(&[0.0, -1.0, 1.0, action, -1.0, 1.0]));
    assert_eq!(check(2.0), Ok(()));
    assert_eq!(check(3.0), Err(Error::TargetOutOfRange { index: 1, class: 3, classes: 3 }));
    for bad in [0.5, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(check(bad), Err(Error::Value { place, .. }) if place == "target 1"), "{bad}");
    }
    let kind = Err(Error::TargetKind { needed: "numeric", got: "class-index" });
    assert_eq!(model.check_targets(2, Targets::Classes(&[0, 1])), kind);
}

#[test]
fn sample_weights_are_one_each_and_finite() {
    let model = with(vec![dense(4, 2, true)]).unwrap();
    assert_eq!(model.check_sample_weights(3, &[1.0, -2.0, 0.0]), Ok(()));
    let length = Error::Length { tensor: "sample weights".into(), got: 2, needed: 3 };
    assert_eq!(model.check_sample_weights(3, &[1.0, -2.0]), Err(length));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let got = model.check_sample_weights(2, &[1.0, bad]);
        assert!(matches!(got, Err(Error::Value { place, .. }) if place == "sample 1"));
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
    let odd = Model::builder([4]).dense(3).loss(Loss::ppo_gaussian(0.2, 0.0)).unwrap_err();
    assert_eq!(odd, shape(&[3], "[2 K]: K means, then K variance heads"));
    let image = || Model::builder([2, 2]).act(Activation::Tanh);
    let many = image().loss(Loss::ppo_discrete(0.2, 0.0)).unwrap_err();
    assert_eq!(many, shape(&[2, 2], "[actions]: the logits of one policy"));
    // A weight for each channel.
    assert!(image().loss(Loss::bce_with_pos_weight([1.0, 2.0])).is_ok());
    assert_eq!(image().loss(gaussian).unwrap_err(), shape(&[2, 2], "[2 K]: K means, then K variance heads"));
    let classified = image().loss(Loss::cross_entropy()).unwrap();
    assert_eq!((classified.classes(), classified.positions(), classified.target_len()), (2, 2, 2));
    assert!(image().loss(Loss::mse()).is_ok());
    let fits = Model::builder([4]).dense(4).loss(Loss::cross_entropy()).unwrap();
    assert!(fits.with_loss(Loss::GaussianNll { reduction: Reduction::Sum, var: Variance::Softplus }).is_ok());
}
