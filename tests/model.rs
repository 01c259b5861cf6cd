//! The model as data: the builder, the JSON form, and invalid models that both refuse.

use hesscale::model::{
    AvgPool2d, BatchNorm, ClassTargets, Conv1d, Conv2d, ConvTranspose2d, Init, MaxPool2d, Noise, Padding,
    Reduction, Role, Rule, Targets, Variance,
};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model, Optimizer};
use std::collections::BTreeSet;

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

/// Every activation, those with a parameter twice.
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

/// Every kind of layer of images, every field at a value that is not its default.
fn image_layers() -> Vec<Layer> {
    let conv = Conv2d::new(6, [3, 2]).stride([2, 1]).dilation([1, 2]).groups(2).bias(false);
    let mut up = ConvTranspose2d::new(6, [3, 2]).stride([2, 3]).padding([1, 0]).output_padding([1, 2]);
    up = up.dilation([1, 2]).groups(2).bias(false);
    up.inputs = 4;
    let norm = BatchNorm::new(vec![0.1, -0.2, 0.3, 0.4], vec![1.0, 0.0, 0.25, 3.5]).eps(1e-3);
    let body = vec![conv.clone().inputs(4).padding(1).into(), Activation::Tanh.into()];
    let projection = vec![Conv2d::new(6, 1).inputs(4).stride([2, 1]).into()];
    vec![
        conv.clone().inputs(4).padding([2, 1]).into(),
        conv.inputs(4).padding(Padding::VALID).into(),
        Conv2d::new(3, [3, 2]).inputs(4).same().into(),
        up.into(),
        MaxPool2d::new([3, 2]).stride([2, 1]).padding([1, 0]).into(),
        AvgPool2d::new([3, 2]).stride([2, 1]).padding([1, 0]).count_include_pad(false).into(),
        Layer::AdaptiveAvgPool2d { output: [3, 7] },
        Layer::global_avg_pool(),
        Layer::ZeroPad2d { padding: [0, 1, 2, 3] },
        norm.into(),
        Layer::Dropout { p: 0.3 },
        Layer::Identity,
        Layer::Residual { body, projection },
        Layer::Residual {
            body: vec![Layer::Residual { body: vec![], projection: vec![] }],
            projection: vec![],
        },
    ]
}

#[test]
fn json_keeps_layers_of_images() {
    let mut layers: Vec<(Vec<usize>, Layer)> =
        image_layers().into_iter().map(|layer| (vec![4, 8, 6], layer)).collect();
    let mut line = Conv1d::new(6, 3).stride(2).padding(1).dilation(2).groups(2).bias(false);
    line.inputs = 4;
    layers.push((vec![4, 9], line.into()));
    for (input, layer) in layers {
        let model = Model::new(input, vec![layer], Loss::mse()).unwrap();
        let text = model.to_json();
        assert_eq!(Model::from_json(&text).unwrap(), model, "{text}");
        assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model);
    }
}

/// A model of one layer, written by hand.
fn written(input: &str, layer: &str) -> Result<Model, Error> {
    Model::from_json(&format!(r#"{{"input": {input}, "layers": [{layer}], "loss": {{"type": "mse"}}}}"#))
}

#[test]
fn json_takes_a_number_for_a_pair_and_names_for_padding() {
    let model = |layer: Layer| Model::new([4, 8, 6], vec![layer], Loss::mse()).unwrap();
    let conv = || Conv2d::new(2, 3).inputs(4);
    for (text, layer) in [
        (r#"{"type": "conv2d", "in": 4, "out": 2, "kernel": 3}"#, conv()),
        (
            r#"{"type": "conv2d", "in": 4, "out": 2, "kernel": [3, 3], "stride": 2, "padding": 1, "dilation": 2}"#,
            conv().stride(2).padding(1).dilation(2),
        ),
        (r#"{"type": "conv2d", "in": 4, "out": 2, "kernel": 3, "padding": [1, 2]}"#, conv().padding([1, 2])),
        (r#"{"type": "conv2d", "in": 4, "out": 2, "kernel": 3, "padding": "same"}"#, conv().same()),
        (
            r#"{"type": "conv2d", "in": 4, "out": 2, "kernel": 3, "padding": "valid"}"#,
            conv().padding(Padding::VALID),
        ),
    ] {
        assert_eq!(written("[4, 8, 6]", text).unwrap(), model(layer.into()), "{text}");
    }
    let mut up = ConvTranspose2d::new(2, [2, 3]).stride(2).padding(1).output_padding(1);
    up.inputs = 4;
    for (text, layer) in [
        (
            r#"{"type": "convtranspose2d", "in": 4, "out": 2, "kernel": [2, 3], "stride": 2, "padding": 1,
                "output_padding": 1}"#,
            up.into(),
        ),
        (
            r#"{"type": "maxpool2d", "kernel": 3, "stride": 2, "padding": 1}"#,
            MaxPool2d::new(3).stride(2).padding(1).into(),
        ),
        (r#"{"type": "avgpool2d", "kernel": 2, "stride": [2, 2]}"#, AvgPool2d::new(2).into()),
        (r#"{"type": "adaptiveavgpool2d", "output": 1}"#, Layer::global_avg_pool()),
        (r#"{"type": "zeropad2d", "padding": [1, 0, 2, 3]}"#, Layer::ZeroPad2d { padding: [1, 0, 2, 3] }),
        (
            r#"{"type": "batchnorm", "mean": [0, 0, 0, 0], "var": [1, 1, 1, 1]}"#,
            BatchNorm::new(vec![0.0; 4], vec![1.0; 4]).into(),
        ),
        (r#"{"type": "dropout", "p": 0.5}"#, Layer::Dropout { p: 0.5 }),
        (
            r#"{"type": "residual", "body": [{"type": "identity"}]}"#,
            Layer::Residual { body: vec![Layer::Identity], projection: vec![] },
        ),
    ] {
        assert_eq!(written("[4, 8, 6]", text).unwrap(), model(layer), "{text}");
    }
    for text in [
        r#"{"type": "conv2d", "in": 4, "out": 2, "kernel": 3, "padding": "full"}"#,
        r#"{"type": "conv2d", "in": 4, "out": 2, "kernel": [3, 3, 3]}"#,
        r#"{"type": "maxpool2d", "kernel": -1, "stride": 1}"#,
        r#"{"type": "residual", "body": [{"type": "dropout"}]}"#,
        r#"{"type": "dropout"}"#,
    ] {
        let kind = text.split('"').nth(3).unwrap();
        match written("[4, 8, 6]", text) {
            Err(Error::Json { problem: error, .. }) => {
                assert!(error.contains(&format!("layer 0 ({kind})")), "{text}: {error}")
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn layer_normalisation_is_refused_with_the_reason() {
    let within = written("[4]", r#"{"type": "residual", "body": [{"type": "identity"}, {"type": "lstm"}]}"#);
    let unsupported = Error::Unsupported { layer: "layer 0.body.1".into(), kind: "lstm".into() };
    assert_eq!(within, Err(unsupported));
    match written("[4]", r#"{"type": "layernorm", "size": 4}"#) {
        Err(Error::Unsupported { layer, kind }) => {
            assert!(
                layer == "layernorm 0" && kind.contains("no rule for its Hessian diagonal"),
                "{layer} {kind}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn shapes_of_image_layers() {
    let shapes = [
        vec![6, 5, 6],
        vec![6, 3, 4],
        vec![3, 8, 6],
        vec![6, 16, 20],
        vec![4, 4, 5],
        vec![4, 4, 5],
        vec![4, 3, 7],
        vec![4, 1, 1],
        vec![4, 13, 7],
        vec![4, 8, 6],
        vec![4, 8, 6],
        vec![4, 8, 6],
        vec![6, 4, 6],
        vec![4, 8, 6],
    ];
    for (layer, shape) in image_layers().into_iter().zip(shapes) {
        let model = Model::new([4, 8, 6], vec![layer.clone()], Loss::mse()).unwrap();
        assert_eq!(model.shape(0).unwrap(), shape, "{layer:?}");
    }
}

#[test]
fn layers_of_images_that_do_not_fit() {
    let fails = |input: &[usize], layer: Layer| Model::new(input, vec![layer], Loss::mse()).unwrap_err();
    let image = |layer: Layer| fails(&[4, 8, 6], layer);
    let conv = || Conv2d::new(6, 3).inputs(4);
    let up = || {
        let mut up = ConvTranspose2d::new(6, 3);
        up.inputs = 4;
        up
    };
    let value = |error: Error| match error {
        Error::Value { place, name, value, .. } => (place, name, value),
        other => panic!("{other:?}"),
    };
    for groups in [3, 4, 5] {
        assert_eq!(value(image(conv().groups(groups).into())), ("conv2d 0".into(), "groups", groups as f64));
        let place = "convtranspose2d 0".into();
        assert_eq!(value(image(up().groups(groups).into())), (place, "groups", groups as f64));
    }
    for (layer, place, what) in [
        (conv().inputs(0).into(), "conv2d 0", "in"),
        (Conv2d::new(0, 3).inputs(4).into(), "conv2d 0", "out"),
        (conv().groups(0).into(), "conv2d 0", "groups"),
        (Conv2d::new(6, [3, 0]).inputs(4).into(), "conv2d 0", "kernel"),
        (conv().stride([0, 1]).into(), "conv2d 0", "stride"),
        (conv().dilation(0).into(), "conv2d 0", "dilation"),
        (up().stride(0).into(), "convtranspose2d 0", "stride"),
        (MaxPool2d::new(0).into(), "maxpool2d 0", "kernel"),
        (AvgPool2d::new(2).stride(0).into(), "avgpool2d 0", "stride"),
        (Layer::AdaptiveAvgPool2d { output: [2, 0] }, "adaptiveavgpool2d 0", "output"),
    ] {
        assert_eq!(image(layer), Error::ZeroSize { place: place.into(), what });
    }
    let same = Error::Unsupported {
        layer: "conv2d 0".into(),
        kind: "padding `same` with stride [2, 2]: it is defined for stride 1".into(),
    };
    assert_eq!(image(conv().same().stride(2).into()), same);

    let shape = |layer: &str, got: &[usize], needed: &str| Error::Shape {
        layer: layer.into(),
        got: got.to_vec(),
        needed: needed.into(),
    };
    let wide = "an image in which, padded, a window of 9 fits along the width";
    assert_eq!(
        image(Conv2d::new(6, [1, 5]).inputs(4).dilation(2).padding([0, 1]).into()),
        shape("conv2d 0", &[8, 6], wide)
    );
    let tall = "an image in which, padded, a window of 9 fits along the height";
    assert_eq!(image(MaxPool2d::new([9, 1]).into()), shape("maxpool2d 0", &[8, 6], tall));
    assert_eq!(fails(&[3, 8, 6], conv().into()), shape("conv2d 0", &[3, 8, 6], "4 channels"));
    assert_eq!(fails(&[4, 8], conv().into()), shape("conv2d 0", &[4, 8], "[4, height, width]"));
    let mut line = Conv1d::new(2, 3);
    line.inputs = 4;
    assert_eq!(image(line.into()), shape("conv1d 0", &[4, 8, 6], "[4, length]"));
    for layer in [MaxPool2d::new(2).into(), Layer::global_avg_pool(), Layer::ZeroPad2d { padding: [1; 4] }] {
        let name = format!("{} 0", layer.kind());
        assert_eq!(fails(&[4, 8], layer), shape(&name, &[4, 8], "[channels, height, width]"));
    }
    let cut = shape("convtranspose2d 0", &[1, 1], "an output that is larger than its padding [2, 2]");
    assert_eq!(fails(&[4, 1, 1], up().padding(2).into()), cut);

    for pool in [MaxPool2d::new([4, 3]).padding([1, 2]).into(), AvgPool2d::new([2, 3]).padding([2, 1]).into()]
    {
        let name = format!("{} 0", Layer::kind(&pool));
        assert_eq!(value(image(pool)), (name, "padding", 2.0));
    }
    for (layer, given) in [(up().output_padding(1), 1.0), (up().stride(2).output_padding([0, 2]), 2.0)] {
        assert_eq!(value(image(layer.into())), ("convtranspose2d 0".into(), "output_padding", given));
    }
    for p in [-0.1, 1.0, f64::INFINITY] {
        assert_eq!(value(image(Layer::Dropout { p })), ("dropout 0".into(), "p", p));
    }
    assert!(value(image(Layer::Dropout { p: f64::NAN })).2.is_nan());
    let huge = image(Layer::ZeroPad2d { padding: [usize::MAX, 1, 1, 1] });
    assert!(matches!(&huge, Error::Shape { layer, .. } if layer == "zeropad2d 0"), "{huge:?}");
    let huge = image(conv().padding(1 << 25).into());
    assert_eq!(huge, shape("conv2d 0", &[8, 6], "padding of at most 16777216"));
}

#[test]
fn statistics_that_are_none() {
    let fails = |norm: BatchNorm| Model::new([2, 3], vec![norm.into()], Loss::mse()).unwrap_err();
    let good = || BatchNorm::new(vec![0.0; 2], vec![1.0; 2]);
    let value = |error: Error| match error {
        Error::Value { place, name, .. } if place == "batchnorm 0" => name,
        other => panic!("{other:?}"),
    };
    for eps in [0.0, -1e-5, 1e-60, f64::NAN, f64::INFINITY] {
        assert_eq!(value(fails(good().eps(eps))), "eps");
    }
    assert_eq!(value(fails(BatchNorm::new(vec![0.0, f32::NAN], vec![1.0; 2]))), "mean");
    for var in [-1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(value(fails(BatchNorm::new(vec![0.0; 2], vec![1.0, var]))), "var");
    }
    let lengths = Error::Length { tensor: "batchnorm 0: var".into(), got: 3, needed: 2 };
    assert_eq!(fails(BatchNorm::new(vec![0.0; 2], vec![1.0; 3])), lengths);
    let channels = |n: usize| {
        let (layer, needed) = ("batchnorm 0".into(), format!("{n} channels"));
        Error::Shape { layer, got: vec![2, 3], needed }
    };
    assert_eq!(fails(BatchNorm::new(vec![0.0; 3], vec![1.0; 3])), channels(3));
    assert_eq!(fails(BatchNorm::new(vec![], vec![])), channels(0));
}

#[test]
fn blocks_name_what_is_in_them() {
    let model = Model::builder([4, 8, 6])
        .conv2d(3, 3)
        .act(Activation::Relu)
        .residual_projected(
            |body| body.conv2d(5, [1, 1]).residual(|inner| inner.layer(Conv2d::new(5, 3).same().bias(false))),
            |projection| projection.layer(Conv2d::new(5, 1)),
        )
        .flatten()
        .dense(2)
        .loss(Loss::mse())
        .unwrap();
    let names: Vec<String> = model.parameters().iter().map(|p| p.name()).collect();
    let expected = [
        "0.weight",
        "0.bias",
        "2.body.0.weight",
        "2.body.0.bias",
        "2.body.1.body.0.weight",
        "2.projection.0.weight",
        "2.projection.0.bias",
        "4.weight",
        "4.bias",
    ];
    assert_eq!(names, expected);
    let shapes: Vec<&[usize]> = model.parameters().iter().map(|p| &p.shape[..]).collect();
    assert_eq!((shapes[0], shapes[4], shapes[7]), (&[3, 4, 3, 3][..], &[5, 5, 3, 3][..], &[2, 120][..]));
    assert_eq!(model.parameter(2, Role::Weight).unwrap().path, "2.body.0");
    assert_eq!((model.layer_name(2), model.shape(2)), (Ok("residual 2".into()), Ok(&[5, 6, 4][..])));

    let block = |body, projection| Layer::Residual { body, projection };
    let unequal = block(vec![Conv2d::new(3, 1).inputs(4).into()], vec![]);
    let error = Model::new([4, 8, 6], vec![Layer::Identity, unequal], Loss::mse()).unwrap_err();
    let needed = "[4, 8, 6], the shape of what it is added to".into();
    assert_eq!(error, Error::Shape { layer: "residual 1".into(), got: vec![3, 8, 6], needed });
    let inside = block(vec![Layer::Identity], vec![Layer::Dropout { p: 2.0 }]);
    match Model::new([4], vec![inside], Loss::mse()).unwrap_err() {
        Error::Value { place, .. } => assert_eq!(place, "dropout 0.projection.0"),
        other => panic!("{other:?}"),
    }
    let built = Model::builder([4, 2, 2]).residual(|body| body.dense(3)).loss(Loss::mse()).unwrap_err();
    match built {
        Error::Shape { layer, got, .. } => {
            assert_eq!((layer.as_str(), &got[..]), ("dense 0.body.0", &[4, 2, 2][..]))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_builder_finds_the_channels() {
    let model = Model::builder([2, 9])
        .layer(Conv1d::new(4, 3))
        .layer(BatchNorm::new(vec![0.0; 4], vec![1.0; 4]))
        .residual(|body| body.layer(Conv1d::new(4, 3).padding(1)))
        .loss(Loss::mse())
        .unwrap();
    let shapes: Vec<&[usize]> = model.parameters().iter().map(|p| &p.shape[..]).collect();
    assert_eq!(shapes, [&[4, 2, 3][..], &[4], &[4], &[4], &[4, 4, 3], &[4]]);
    let model = Model::builder([6, 4, 4])
        .layer(ConvTranspose2d::new(4, [2, 3]).groups(2))
        .conv2d(3, 2)
        .loss(Loss::mse())
        .unwrap();
    let shapes: Vec<&[usize]> = model.parameters().iter().map(|p| &p.shape[..]).collect();
    assert_eq!(shapes, [&[6, 2, 2, 3][..], &[4], &[3, 4, 2, 2], &[3]]);
    // Explicit values are not overwritten.
    let wrong = Model::builder([6, 4, 4]).layer(Conv2d::new(3, 2).inputs(5)).loss(Loss::mse()).unwrap_err();
    assert!(matches!(&wrong, Error::Shape { layer, .. } if layer == "conv2d 0"), "{wrong:?}");
}

#[test]
fn initial_weights_of_convolutions_and_normalisations() {
    let model = Model::builder([8, 6, 6])
        .conv2d(16, 3)
        .layer(BatchNorm::new(vec![0.5; 16], vec![2.0; 16]))
        .act(Activation::Relu)
        .conv2d(8, 3)
        .loss(Loss::mse())
        .unwrap();
    let flat = model.init(Init::Auto, 3).unwrap();
    let of = |layer, role| &flat[model.parameter(layer, role).unwrap().range()];
    assert!(of(1, Role::Weight).iter().all(|gamma| *gamma == 1.0));
    assert!([0, 1, 3].iter().all(|layer| of(*layer, Role::Bias).iter().all(|b| *b == 0.0)));
    // He through the normalisation, for a rectifier follows; Glorot at the end.
    for (layer, bound) in [(0, (6.0_f32 / 72.0).sqrt()), (3, (6.0_f32 / (144.0 + 72.0)).sqrt())] {
        let largest = of(layer, Role::Weight).iter().fold(0.0_f32, |m, w| m.max(w.abs()));
        assert!(largest <= bound && largest > 0.95 * bound, "{layer}: {largest} {bound}");
    }
}

/// pcg4d of (element, node, step, seed), computed by another program.
#[test]
fn noise_is_pcg4d() {
    for ([element, node, step, seed], word) in [
        ([0, 0, 0, 0], 0x0f02_f829),
        ([1, 0, 0, 0], 0x0b3c_efc3),
        ([0, 1, 0, 0], 0x2a9d_71a8),
        ([0, 0, 1, 0], 0x2eda_6c9d),
        ([0, 0, 0, 1], 0x8d9e_ffe2),
        ([123_456_789, 17, 4_000_000_000, 42], 0x58da_8b5d),
    ] {
        let noise = Noise { seed, step };
        assert_eq!(noise.word(node, element), word);
        let share = f64::from(word) / 4_294_967_296.0;
        assert!(noise.keeps(node, element, share) && !noise.keeps(node, element, share + 1e-9));
    }
    assert!((0..1_000).all(|element| Noise::default().keeps(0, element, 0.0)));
}

#[test]
fn json_keeps_modes_and_optimizers() {
    for mode in Mode::ALL {
        let text = serde_json::to_string(&mode).unwrap();
        assert_eq!(serde_json::from_str::<Mode>(&text).unwrap(), mode);
    }
    let momentum = Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.1).weight_decay(0.01);
    for optimizer in
        [momentum, Optimizer::adam(0.1), Optimizer::ada_hesscale(0.2), Optimizer::ada_hesscale_gn(0.3)]
    {
        let text = serde_json::to_string(&optimizer).unwrap();
        assert_eq!(serde_json::from_str::<Optimizer>(&text).unwrap(), optimizer, "{text}");
    }
}

#[test]
fn json_written_by_hand() {
    let text = r#"{"input": [8], "layers": [
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

/// Every kind that serde knows of a type with kinds, as it lists them in its error for one that is none.
fn kinds<T: serde::de::DeserializeOwned + std::fmt::Debug>(tag: &str) -> BTreeSet<String> {
    let error = serde_json::from_str::<T>(&format!(r#"{{"{tag}": "no such"}}"#)).unwrap_err().to_string();
    let names: BTreeSet<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(error.contains("expected one of") && names.len() > 3, "{error}");
    names
}

/// Every value with a field too many is refused, with the field's name, the known ones, and `told`; twice the same is, too.
/// Together they are of all kinds that there are.
fn strict<T>(tag: &str, values: &[T], read: impl Fn(&str) -> Result<(), String>)
where
    T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let mut seen = BTreeSet::new();
    for value in values {
        let json = serde_json::to_value(value).unwrap();
        let fields = json.as_object().unwrap();
        seen.insert(fields[tag].as_str().unwrap().to_owned());
        let text = json.to_string();
        read(&text).unwrap();
        let error = read(&text.replacen('{', r#"{"surplus": 1, "#, 1)).unwrap_err();
        assert!(error.contains("unknown field `surplus`"), "{text}: {error}");
        let own = fields.keys().filter(|name| !["type", "fn"].contains(&name.as_str()));
        for known in own {
            assert!(error.contains(&format!("`{known}`")), "{text}: {error}");
        }
        for (name, value) in fields {
            let twice = text.replacen('{', &format!(r#"{{"{name}": {value}, "#), 1);
            let error = read(&twice).unwrap_err();
            assert!(error.contains(&format!("duplicate field `{name}`")), "{twice}: {error}");
        }
    }
    assert_eq!(seen, kinds::<T>(tag), "every kind is among the values");
}

#[test]
fn no_field_is_passed_over() {
    fn plain<T: serde::de::DeserializeOwned>(text: &str) -> Result<(), String> {
        serde_json::from_str::<T>(text).map(|_| ()).map_err(|error| error.to_string())
    }
    let mut line = Conv1d::new(6, 3);
    line.inputs = 4;
    let mut layers: Vec<Layer> = activations().into_iter().map(Layer::Act).collect();
    layers.extend([dense(4, 2, true), Layer::Flatten, line.into()]);
    layers.extend(image_layers());
    strict("type", &layers, plain::<Layer>);
    // As part of a model, and deep within one, the layer is named.
    let loss = r#"{"type": "mse"}"#;
    let within = |layers: String, place: &str| {
        let text = format!(r#"{{"input": [4, 8, 6], "layers": [{layers}], "loss": {loss}}}"#);
        let serde = serde_json::from_str::<Model>(&text);
        match Model::from_json(&text) {
            Err(Error::Json { problem: error, .. }) => {
                assert!(error.starts_with(place), "{error}");
                assert!(serde.is_err(), "{text}");
                Err(error)
            }
            // Not all of them fit the input.
            _ => Ok(()),
        }
    };
    strict("type", &layers, |layer| within(format!(r#"{{"type": "identity"}}, {layer}"#), "layer 1"));
    let block = |part: &str, layer: &str| {
        let other = if part == "body" { "" } else { r#""body": [], "# };
        format!(r#"{{"type": "residual", {other}"{part}": [{layer}]}}"#)
    };
    for part in ["body", "projection"] {
        strict("type", &layers, |layer| within(block("body", &block(part, layer)), "layer 0"));
    }

    strict("fn", &activations(), plain::<Activation>);
    strict("type", &losses(), plain::<Loss>);
    strict("type", &losses(), |loss| {
        let text = format!(r#"{{"input": [4], "layers": [{{"type": "identity"}}], "loss": {loss}}}"#);
        match Model::from_json(&text) {
            Err(Error::Json { problem: error, .. }) => Err(error),
            other => other.map(|_| ()).map_err(|error| panic!("{error}")),
        }
    });
    let rules = [Optimizer::sgd(0.1), Optimizer::adam(0.1), Optimizer::ada_hesscale(0.1)];
    let rules = [&rules[..], &[Optimizer::ada_hesscale_gn(0.1)]].concat();
    strict("type", &rules.iter().map(|optimizer| optimizer.rule).collect::<Vec<_>>(), plain::<Rule>);

    let model = with(vec![dense(4, 2, true)]).unwrap().to_json();
    let optimizer = serde_json::to_string(&Optimizer::adam(0.1)).unwrap();
    for (text, read) in [(model, plain::<Model> as fn(&str) -> _), (optimizer, plain::<Optimizer>)] {
        read(&text).unwrap();
        let error = read(&text.replacen('{', r#"{"surplus": 1, "#, 1)).unwrap_err();
        assert!(error.contains("unknown field `surplus`, expected"), "{error}");
    }
}

/// Options of PyTorch's layers and losses that do not exist here would change the network, so they are refused.
#[test]
fn options_of_pytorch_are_named() {
    let conv = r#""type": "conv2d", "in": 4, "out": 2, "kernel": 3"#;
    for (layer, field, known) in [
        (r#""type": "maxpool2d", "kernel": 3, "stride": 2, "ceil_mode": true"#, "ceil_mode", "padding"),
        (&format!(r#"{conv}, "padding_mode": "reflect""#), "padding_mode", "padding"),
        (&format!(r#"{conv}, "strides": 2"#), "strides", "stride"),
        (
            r#""type": "avgpool2d", "kernel": 3, "stride": 2, "divisor_override": 1"#,
            "divisor_override",
            "count_include_pad",
        ),
        (r#""type": "act", "fn": "gelu", "approximate": "tanh""#, "approximate", "no fields"),
        (r#""type": "act", "fn": "softplus", "beta": 2"#, "beta", "no fields"),
        (r#""type": "flatten", "start_dim": 2"#, "start_dim", "no fields"),
        (
            r#""type": "batchnorm", "mean": [0, 0, 0, 0], "var": [1, 1, 1, 1], "affine": false"#,
            "affine",
            "eps",
        ),
    ] {
        let kind = layer.split('"').nth(3).unwrap();
        match written("[4, 8, 6]", &format!("{{{layer}}}")) {
            Err(Error::Json { problem: error, .. }) => {
                let begin = format!("layer 0 ({kind}): unknown field `{field}`, ");
                assert!(error.starts_with(&begin) && error.contains(known), "{error}");
            }
            other => panic!("{layer}: {other:?}"),
        }
    }
    let identity = r#"{"type": "identity"}"#;
    for (loss, field) in [
        (r#"{"type": "bce_logits", "pos_weight": [2]}"#, "pos_weight"),
        (r#"{"type": "softmax_ce", "weight": [1, 2, 3, 4]}"#, "weight"),
    ] {
        match json_error(identity, loss) {
            Error::Json { problem: error, .. } => assert!(
                error.contains(&format!("unknown field `{field}`, expected one of"))
                    || error.contains(&format!("unknown field `{field}`, expected `reduction`")),
                "{error}"
            ),
            other => panic!("{other:?}"),
        }
    }
    let text = r#"{"input": [4], "layers": [{"type": "identity"}], "loss": {"type": "mse"}, "losses": []}"#;
    match Model::from_json(text) {
        Err(Error::Json { problem: error, .. }) => {
            assert!(error.contains("unknown field `losses`"), "{error}")
        }
        other => panic!("{other:?}"),
    }
}

/// PyTorch's −100, and any other negative index, is what `as u32` makes of it.
#[test]
fn negative_classes_can_be_ignored() {
    let read = |index: &str| {
        let loss = format!(r#"{{"type": "softmax_ce", "ignore_index": {index}}}"#);
        Model::from_json(&format!(r#"{{"input": [4], "layers": [{{"type": "identity"}}], "loss": {loss}}}"#))
    };
    for (index, expected) in [
        ("-100", Some(-100_i32 as u32)),
        ("-1", Some(u32::MAX)),
        ("-2147483648", Some(1 << 31)),
        ("255", Some(255)),
        ("4294967295", Some(u32::MAX)),
        ("null", None),
    ] {
        let model = read(index).unwrap();
        assert_eq!(model.loss().ignored(), expected, "{index}");
        assert_eq!(Model::from_json(&model.to_json()), Ok(model));
    }
    let model = read("-100").unwrap();
    model.check_targets(2, Targets::Classes(&[3, -100_i64 as u32])).unwrap();
    let wrong = model.check_targets(2, Targets::Classes(&[3, -1_i64 as u32]));
    assert!(matches!(wrong, Err(Error::TargetOutOfRange { index: 1, .. })), "{wrong:?}");
    for index in ["-2147483649", "4294967296", "1.5", "\"a\""] {
        assert!(matches!(read(index), Err(Error::Json { .. })), "{index}");
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

/// Kernels use 32-bit arithmetic, and sums need some headroom.
#[test]
fn windows_that_shaders_cannot_count() {
    for size in [(1 << 24) + 1, 1 << 32, usize::MAX] {
        let conv = || Conv2d::new(2, 1).inputs(4);
        let mut line = Conv1d::new(2, 1).stride(size);
        line.inputs = 4;
        let mut up = ConvTranspose2d::new(2, 1).dilation([1, size]);
        up.inputs = 4;
        let image = vec![4, 1, 1];
        for (input, layer, what) in [
            (image.clone(), conv().stride([1, size]).into(), "stride"),
            (image.clone(), conv().dilation(size).into(), "dilation"),
            (image.clone(), Conv2d::new(2, [size, 1]).inputs(4).into(), "kernel"),
            (vec![4, 1], line.into(), "stride"),
            (image.clone(), up.into(), "dilation"),
            (image.clone(), MaxPool2d::new(1).stride([size, 1]).into(), "stride"),
            (image.clone(), AvgPool2d::new(1).stride([1, size]).into(), "stride"),
        ] {
            let place = format!("{} 0", Layer::kind(&layer));
            let error = Error::Value { place, name: what, value: size as f64, needed: "at most 16777216" };
            assert_eq!(Model::new(input, vec![layer], Loss::mse()), Err(error));
        }
    }
}

/// A transposed convolution may cut off nearly all that a long stride spreads out, and then little is left to be counted.
#[test]
fn transposed_windows_that_shaders_cannot_count() {
    let cut = |padding: usize| {
        let mut up = ConvTranspose2d::new(1, 1).stride([1, 1 << 24]).padding([0, padding]);
        up.inputs = 1;
        Model::new([1, 1, 200], vec![up.into()], Loss::mse())
    };
    // 199 · 2²⁴ + 1 columns, of which 3 stay.
    let needed = "padding of at most 16777216".into();
    let refused = Error::Shape { layer: "convtranspose2d 0".into(), got: vec![1, 200], needed };
    assert_eq!(cut(199 << 23), Err(refused.clone()));
    assert_eq!(cut(usize::MAX), Err(refused));
    assert!(cut(1 << 24).is_ok());
}

/// Queries with values that no model has still return, without dividing by zero.
#[test]
fn shapes_and_batches_of_nothing() {
    for loss in losses() {
        assert!(loss.target_len(&[]) <= 1, "{loss:?}");
        for output in [&[][..], &[0], &[1], &[4, 0]] {
            let factor = loss.factor(0, output);
            assert!(factor == 1.0 && loss.factor(3, output).is_finite(), "{loss:?} {output:?}: {factor}");
        }
        // More elements than can be counted, which no model has.
        for output in [[usize::MAX, 4], [4, usize::MAX], [1 << 32, 1 << 32]] {
            assert!(loss.target_len(&output) >= 4, "{loss:?} {output:?}");
            let factor = loss.factor(3, &output);
            assert!(factor > 0.0 && factor <= 1.0, "{loss:?} {output:?}: {factor}");
        }
    }
    let model = with(vec![dense(4, 2, true)]).unwrap();
    let huge = model.check_targets(usize::MAX, Targets::Values(&[0.0; 4]));
    assert_eq!(huge, Err(Error::Length { tensor: "targets".into(), got: 4, needed: usize::MAX }));
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
    for layer in [r#"{"out": 3}"#, r#"{"type": 7}"#, r#"["dense"]"#, "5", "null"] {
        let what = "layer 0: a layer is an object with its `type`, a text";
        assert_eq!(json_error(layer, mse).to_string(), format!("model JSON: {what}"), "{layer}");
    }
    for (layers, loss, needle) in [
        (r#"{"type": "dense", "out": 2}"#, mse, "layer 0 (dense)"),
        (r#"{"type": "dense", "in": -4, "out": 2}"#, mse, "layer 0 (dense)"),
        (r#"{"type": "act", "fn": "swash"}"#, mse, "swash"),
        (good, r#"{"type": "hinge"}"#, "hinge"),
        (good, r#"{"type": "gaussian_nll"}"#, "var"),
        (r#"{"type": "maxpool2d", "kernel": {"h": 2}}"#, mse, "a number, or two: [height, width]"),
        (r#"{"type": "maxpool2d", "kernel": [2, 2, 2]}"#, mse, "a number, or two: [height, width]"),
        (r#"{"type": "conv2d", "in": 1, "out": 1, "kernel": 1, "padding": "full"}"#, mse, "`same`"),
    ] {
        match json_error(layers, loss) {
            Error::Json { problem: text, .. } => assert!(text.contains(needle), "{needle}: {text}"),
            other => panic!("{needle}: {other:?}"),
        }
    }
    for text in ["", "[]", "{", r#"{"input": [4], "layers": []}"#] {
        assert!(matches!(Model::from_json(text), Err(Error::Json { .. })), "{text}");
    }
    // Valid JSON that is no valid model.
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
    let classified = image().loss(Loss::cross_entropy()).unwrap();
    assert_eq!((classified.classes(), classified.positions(), classified.target_len()), (2, 2, 2));
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
        assert_eq!(name(Optimizer::sgd(0.1).weight_decay(rate)), Some("weight decay"));
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

#[test]
fn losses_and_optimisers_are_built_alike() {
    let smooth =
        Loss::cross_entropy().soft().sum().label_smoothing(0.1).class_weights([1.0, 2.0]).ignore_index(1);
    let expected = Loss::SoftmaxCrossEntropy {
        targets: ClassTargets::Soft,
        reduction: Reduction::Sum,
        class_weights: Some(vec![1.0, 2.0]),
        label_smoothing: 0.1,
        ignore_index: Some(1),
    };
    assert_eq!(smooth, expected);
    assert_eq!(smooth.mean().reduction(), Reduction::Mean);
    assert_eq!(Loss::mse().sum(), Loss::Mse { reduction: Reduction::Sum });
    assert_eq!(Loss::bce_with_logits(), Loss::BceWithLogits { reduction: Reduction::Mean });
    let gaussian = Loss::GaussianNll { reduction: Reduction::Sum, var: Variance::Log };
    assert_eq!(Loss::gaussian_nll(Variance::Log).sum(), gaussian);

    let nesterov = Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.1);
    assert_eq!(Optimizer::sgd(0.1).momentum(0.9).nesterov(), nesterov);
    let ada = Rule::AdaHesScale { beta1: 0.8, beta2: 0.99, eps: 1e-4 }.at(0.5);
    assert_eq!(Optimizer::ada_hesscale(0.1).betas(0.8, 0.99).eps(1e-4).learning_rate(0.5), ada);
}

/// What a loss or a rule does not have is no silent nothing.
#[test]
fn options_of_another_loss_or_rule_panic() {
    let refused = |make: fn()| *std::panic::catch_unwind(make).unwrap_err().downcast::<String>().unwrap();
    let told = refused(|| drop(Loss::mse().label_smoothing(0.1)));
    assert!(told.contains("label smoothing") && told.contains("Mse"), "{told}");
    let told = refused(|| assert_eq!(Optimizer::adam(0.1).momentum(0.9).weight_decay, 0.0));
    assert!(told.contains("momentum") && told.contains("adam"), "{told}");
}

#[test]
fn an_error_keeps_its_source() {
    use std::error::Error as _;
    let error = Model::from_json("{").unwrap_err();
    let source = error.source().and_then(|source| source.downcast_ref::<serde_json::Error>());
    assert!(source.is_some_and(serde_json::Error::is_eof), "{error:?}");
    assert_eq!(error, error.clone());
    assert!(Error::EmptyModel.source().is_none());
}
