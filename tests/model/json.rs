//! The JSON form: what it keeps, and what it refuses.

use crate::images::image_layers;
use crate::{activations, dense, losses, with};
use hesscale::model::{
    Attention, AvgPool2d, BatchNorm, Conv1d, Conv2d, ConvTranspose2d, Embedding, GroupNorm, Gru, HashGrid,
    Interpolation, LayerNorm, Lstm, MaxPool2d, PRelu, Padding, PositionEmbedding, RmsNorm, Rule, Targets,
    Upsample2d,
};
use hesscale::{Activation, Error, Layer, Loss, Mode, Model, Optimizer};
use std::collections::BTreeSet;

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
        (
            r#"{"type": "maxpool2d", "kernel": 3, "stride": 2, "padding": "same"}"#,
            MaxPool2d::new(3).stride(2).padding(Padding::SAME).into(),
        ),
        (
            r#"{"type": "avgpool2d", "kernel": 3, "stride": 2, "ceil_mode": true}"#,
            AvgPool2d::new(3).stride(2).ceil_mode(true).into(),
        ),
        (r#"{"type": "upsample2d", "scale": 2}"#, Upsample2d::nearest(2).into()),
        (
            r#"{"type": "upsample2d", "scale": [2, 3], "mode": "bilinear"}"#,
            Upsample2d::bilinear([2, 3]).into(),
        ),
        (
            r#"{"type": "upsample2d", "scale": 2, "mode": "bilinear_aligned"}"#,
            Upsample2d::nearest(2).mode(Interpolation::BilinearAligned).into(),
        ),
        (r#"{"type": "pixelshuffle", "factor": 2}"#, Layer::PixelShuffle { factor: 2 }),
        (
            r#"{"type": "reflectionpad2d", "padding": [1, 0, 2, 3]}"#,
            Layer::ReflectionPad2d { padding: [1, 0, 2, 3] },
        ),
        (r#"{"type": "adaptiveavgpool2d", "output": 1}"#, Layer::global_avg_pool()),
        (r#"{"type": "zeropad2d", "padding": [1, 0, 2, 3]}"#, Layer::ZeroPad2d { padding: [1, 0, 2, 3] }),
        (
            r#"{"type": "batchnorm", "mean": [0, 0, 0, 0], "var": [1, 1, 1, 1]}"#,
            BatchNorm::new(vec![0.0; 4], vec![1.0; 4]).into(),
        ),
        (r#"{"type": "prelu"}"#, PRelu::new().into()),
        (
            r#"{"type": "positionembedding", "shape": [4, 8, 6]}"#,
            PositionEmbedding::new().shape([4, 8, 6]).into(),
        ),
        (r#"{"type": "layernorm", "shape": [4]}"#, LayerNorm::new().shape([4]).into()),
        (r#"{"type": "prelu", "slopes": 4}"#, PRelu::per_channel().slopes(4).into()),
        (
            r#"{"type": "batchnorm", "mean": [0, 0, 0, 0], "var": [1, 1, 1, 1], "momentum": 0.1}"#,
            BatchNorm::new(vec![0.0; 4], vec![1.0; 4]).momentum(0.1).into(),
        ),
        (r#"{"type": "dropout", "p": 0.5}"#, Layer::Dropout { p: 0.5 }),
        (r#"{"type": "act", "fn": "sin"}"#, Activation::Sin { frequency: 1.0 }.into()),
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
        r#"{"type": "maxpool2d", "kernel": 2, "stride": 1, "padding": "full"}"#,
        r#"{"type": "upsample2d", "scale": 2, "mode": "bicubic"}"#,
        r#"{"type": "upsample2d", "scale": 1.5}"#,
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
fn named_values_in_json() {
    let text = r#"{"input": [4], "layers": [{"type": "name", "name": "x"}, {"type": "dense", "in": 4, "out": 4},
        {"type": "name", "name": "y"}, {"type": "from", "name": "x"}, {"type": "multiply", "with": "y"},
        {"type": "add", "with": "x"}, {"type": "concat", "with": "y"}], "loss": {"type": "mse"}}"#;
    let model = Model::from_json(text).unwrap();
    let built =
        Model::builder([4]).name("x").dense(4).name("y").from("x").multiply("y").plus("x").concat("y");
    assert_eq!(model, built.loss(Loss::mse()).unwrap());
    assert_eq!(model.output_shape(), [8]);
    assert_eq!(Model::from_json(&model.to_json()).unwrap(), model);
}

#[test]
fn shared_layers_in_json() {
    let text = r#"{"input": [4], "layers": [{"type": "dense", "in": 4, "out": 4}, {"type": "residual",
        "body": [{"type": "dense", "in": 4, "out": 4, "bias": false}]}, {"type": "shared", "layer": "0"},
        {"type": "shared", "layer": "1.body.0"}], "loss": {"type": "mse"}}"#;
    let model = Model::from_json(text).unwrap();
    let built = Model::builder([4]).dense(4).residual(|b| b.dense_no_bias(4)).shared("0").shared("1.body.0");
    assert_eq!(model, built.loss(Loss::mse()).unwrap());
    assert_eq!(model.parameter_count(), 4 * 4 + 4 + 4 * 4);
    assert_eq!(Model::from_json(&model.to_json()).unwrap(), model);
}

#[test]
fn unknown_layers_within_blocks_are_named() {
    let within =
        written("[4]", r#"{"type": "residual", "body": [{"type": "identity"}, {"type": "maxout"}]}"#);
    let unsupported = Error::Unsupported { layer: "layer 0.body.1".into(), kind: "maxout".into() };
    assert_eq!(within, Err(unsupported));
}

#[test]
fn normalisations_of_samples_in_json() {
    for (text, layer) in [
        (r#"{"type": "layernorm", "shape": [4, 2]}"#, Layer::from(LayerNorm::new().shape([4, 2]))),
        (
            r#"{"type": "layernorm", "shape": [4, 2], "eps": 0.5, "affine": false}"#,
            LayerNorm::new().shape([4, 2]).eps(0.5).affine(false).into(),
        ),
        (r#"{"type": "rmsnorm", "shape": [4, 2]}"#, RmsNorm::new().shape([4, 2]).into()),
        (r#"{"type": "groupnorm", "channels": 4, "groups": 2}"#, GroupNorm::new(2).channels(4).into()),
        (
            r#"{"type": "groupnorm", "channels": 4, "groups": 1, "eps": 1e-3, "affine": false}"#,
            GroupNorm::new(1).channels(4).eps(1e-3).affine(false).into(),
        ),
    ] {
        let model = Model::new([4, 2], vec![layer], Loss::mse()).unwrap();
        assert_eq!(written("[4, 2]", text).unwrap(), model, "{text}");
        assert_eq!(Model::from_json(&model.to_json()).unwrap(), model, "{text}");
    }
    for text in [
        r#"{"type": "layernorm"}"#,
        r#"{"type": "layernorm", "shape": [4], "bias": true}"#,
        r#"{"type": "groupnorm", "channels": 4}"#,
    ] {
        assert!(matches!(written("[4, 2]", text), Err(Error::Json { .. })), "{text}");
    }
}

#[test]
fn json_keeps_modes_and_optimizers() {
    for mode in Mode::ALL.into_iter().chain([Mode::Fisher, Mode::HesScaleS1, Mode::HesScaleS2]) {
        let text = serde_json::to_string(&mode).unwrap();
        assert_eq!(text, format!("\"{}\"", mode.name()));
        assert_eq!(serde_json::from_str::<Mode>(&text).unwrap(), mode);
    }
    let momentum = Rule::Sgd { momentum: 0.9, nesterov: true }.at(0.1).weight_decay(0.01);
    for optimizer in
        [momentum, Optimizer::adam(0.1), Optimizer::ada_hesscale(0.2), Optimizer::ada_hesscale_gn(0.3)]
            .into_iter()
            .chain([
                Optimizer::ada_hesscale_abs(0.1).root(),
                Optimizer::sophia(0.1).trust(0.1).average(0.99),
                Optimizer::rmsprop(0.1).clip_gradient_norm(1.0),
                Optimizer::lion(0.1).clip_gradient(0.5),
                Optimizer::obgd(0.1).trace(0.5),
                Optimizer::adaptive_obgd(0.1),
                Optimizer::upgd(0.1).trace(0.5).noise(0.25).seed(u32::MAX),
            ])
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
    layers.extend([dense(4, 2, true), PRelu::new().into(), Layer::Flatten, line.into()]);
    layers.extend(image_layers());
    layers.extend([Embedding::new(3, 2).into(), HashGrid::new().into(), Attention::new(2).into()]);
    layers.extend([PositionEmbedding::new().into(), Gru::new(3).into(), Lstm::new(2).bias(false).into()]);
    layers.push(Layer::Last);
    layers.extend([Layer::FrequencyEncoding { octaves: 2 }, Layer::OneBlob { bins: 2 }]);
    let skip = || "skip".to_owned();
    layers.extend([Layer::Name { name: skip() }, Layer::From { name: skip() }, Layer::Add { with: skip() }]);
    layers.extend([Layer::Multiply { with: skip() }, Layer::Concat { with: skip() }]);
    layers.push(Layer::Shared { layer: skip() });
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
    let streaming = [Optimizer::obgd(0.1), Optimizer::adaptive_obgd(0.1), Optimizer::upgd(0.1)];
    let more = [Optimizer::sophia(0.1), Optimizer::rmsprop(0.1), Optimizer::lion(0.1)];
    let rules =
        [&rules[..], &[Optimizer::ada_hesscale_gn(0.1), Optimizer::ada_hesscale_abs(0.1)], &more, &streaming]
            .concat();
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
        (r#""type": "maxpool2d", "kernel": 3, "stride": 2, "dilation": 2"#, "dilation", "padding"),
        (r#""type": "upsample2d", "scale": 2, "align_corners": true"#, "align_corners", "mode"),
        (&format!(r#"{conv}, "padding_mode": "reflect""#), "padding_mode", "padding"),
        (&format!(r#"{conv}, "strides": 2"#), "strides", "stride"),
        (
            r#""type": "avgpool2d", "kernel": 3, "stride": 2, "divisor_override": 1"#,
            "divisor_override",
            "count_include_pad",
        ),
        (r#""type": "act", "fn": "gelu", "approximate": "tanh""#, "approximate", "no fields"),
        (r#""type": "act", "fn": "softplus", "beta": 2"#, "beta", "no fields"),
        (r#""type": "prelu", "num_parameters": 4"#, "num_parameters", "slopes"),
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
        (r#"{"type": "bce_logits", "weight": [2]}"#, "weight"),
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

fn json_error(layers: &str, loss: &str) -> Error {
    Model::from_json(&format!(r#"{{"input": [4], "layers": [{layers}], "loss": {loss}}}"#)).unwrap_err()
}

#[test]
fn json_that_is_no_model() {
    let mse = r#"{"type": "mse"}"#;
    let good = r#"{"type": "dense", "in": 4, "out": 2}"#;
    let unsupported = Error::Unsupported { layer: "layer 1".into(), kind: "maxout".into() };
    assert_eq!(json_error(&format!(r#"{good}, {{"type": "maxout"}}"#), mse), unsupported);
    assert_eq!(unsupported.to_string(), "layer 1: `maxout` is not supported");
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
fn an_error_keeps_its_source() {
    use std::error::Error as _;
    let error = Model::from_json("{").unwrap_err();
    let source = error.source().and_then(|source| source.downcast_ref::<serde_json::Error>());
    assert!(source.is_some_and(serde_json::Error::is_eof), "{error:?}");
    assert_eq!(error, error.clone());
    assert!(Error::EmptyModel.source().is_none());
}
