//! Networks as functions in WGSL: the texts are valid without any feature, in fragment and compute shaders, translate to the
//! languages of wgpu's backends, and what cannot be written is refused.

use crate::model::{AvgPool2d, Conv2d, CustomActivation, HashGrid, Init};
use crate::texts::{translate, valid};
use crate::wgsl::Options;
use crate::{Activation, Error, Layer, Loss, Model};

fn perceptron() -> Model {
    let model = Model::builder([3]).dense(6).act(Activation::Tanh).dropout(0.5);
    model
        .residual(|block| block.layer_norm().dense(6).act(Activation::Elu { alpha: 2.0 }))
        .dense(2)
        .loss(Loss::mse())
        .unwrap()
}

fn image() -> Model {
    let model = Model::builder([2, 4, 4]).layer(Conv2d::new(3, 3).same()).group_norm(1);
    let model = model.layer(crate::model::MaxPool2d::new(2)).act(Activation::Elu { alpha: 0.5 });
    model
        .layer(Layer::global_avg_pool())
        .flatten()
        .act(Activation::Elu { alpha: 2.0 })
        .loss(Loss::mse())
        .unwrap()
}

/// Of every way to write a network, under the name `name`.
fn written(model: &Model, name: &str) -> [String; 4] {
    let parameters = model.init(Init::Auto, 3).unwrap();
    let options = [
        Options::constants(&parameters),
        Options::storage(1, 2),
        Options::storage_f16(1, 2),
        Options::storage(1, 2).unroll(0),
    ];
    options.map(|options| model.to_wgsl(&options.name(name)).unwrap())
}

#[test]
fn texts_are_valid_in_any_stage_and_translate() {
    for (text, other) in written(&perceptron(), "a").into_iter().zip(written(&image(), "b")) {
        // Bindings of two networks differ.
        let other = other.replace("@binding(2)", "@binding(3)");
        let text = format!(
            "{text}{other}
             @group(0) @binding(0) var<storage, read_write> out: array<f32>;
             fn both(t: f32) -> f32 {{ return a(array(t, 1.0, t))[1] + b(array<f32, 32>())[2]; }}
             @compute @workgroup_size(1) fn main() {{ out[0] = both(out[1]); }}
             @fragment fn colour(@builtin(position) at: vec4<f32>) -> @location(0) vec4<f32> {{ return vec4(both(at.x)); }}"
        );
        let (module, info) = valid(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let translations = translate(&module, &info).unwrap();
        assert!(!translations.spirv.is_empty() && !translations.metal.is_empty());
        assert!(!translations.direct.is_empty() && translations.gl.is_some());
    }
}

#[test]
fn a_text_says_what_it_is_and_has_no_more_than_it_needs() {
    let model = perceptron();
    let [constants, stored, halves, loops] = written(&model, "field");
    for text in [&constants, &stored, &halves, &loops] {
        assert!(text.starts_with("// field(x), a network, of x of shape [3]:\n"), "{text}");
        assert!(text.contains("\nfn field(x: array<f32, 3>) -> array<f32, 2> {\n"));
        assert!(text.contains("// dense 3.body.1: z = W x + b\nfn field_dense_3_body_1("));
        assert!(text.contains("fn field_act_tanh(") && text.contains("fn field_act_elu("));
        assert!(!text.contains("hs_") && !text.contains("act_d") && !text.contains("fn field_erf("));
        let wide = text.lines().filter(|line| line.chars().count() > 160);
        assert_eq!(wide.collect::<Vec<_>>(), [""; 0]);
    }
    assert_eq!(constants, written(&model, "field")[0], "the same each time");
    assert!(!constants.contains("@group") && constants.contains("It has no loops."));
    assert!(stored.contains("@group(1) @binding(2) var<storage, read> field_parameters: array<vec4<f32>>;"));
    assert!(halves.contains("unpack2x16float") && !stored.contains("for ("));
    assert!(loops.matches("for (").count() > 5);
    // One function for each slope.
    let [constants, ..] = written(&image(), "b");
    assert!(constants.contains("b_act_elu_again_1_alpha: f32 = 2.0f;"));
}

/// Names that hold the library's beginning, and activations of the user's own called as something else is.
#[test]
fn names_of_all_kinds() {
    let softsign = "const below = 1.0; fn act(a: f32) -> f32 { return a / (below + abs(a)); }
        fn act_d(a: f32) -> vec2<f32> { return vec2(exp(-a), 0.0); }";
    let own = |name| Activation::from(CustomActivation::new(name, softsign).unwrap());
    let mut model = Model::builder([3]).dense(2).act(Activation::Gelu).act(Activation::Elu { alpha: 2.0 });
    for name in ["gelu_below", "elu_alpha", "hs_softsign", "own_act_0", "gelu"] {
        model = model.act(own(name));
    }
    let model = model.loss(Loss::mse()).unwrap();
    for name in ["hs_net", "paths_net", "act", "own_act", "e"] {
        for text in written(&model, name) {
            valid(&text).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            let declared = crate::plug::declarations(&text).map(|word| word.text);
            let foreign: Vec<_> = declared.filter(|declared| !declared.starts_with(name)).collect();
            assert_eq!(foreign, [""; 0], "{name}");
        }
    }
    for used in ["abs", "exp"] {
        let refused = model.to_wgsl(&Options::storage(0, 0).name(used)).unwrap_err();
        assert!(matches!(&refused, Error::Unsupported { .. }), "{used}: {refused}");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let model = |inputs: usize, outputs| Model::builder([inputs]).dense(outputs).loss(Loss::mse()).unwrap();
    let refused = |model: &Model, options: &Options<'_>| model.to_wgsl(options).unwrap_err();
    let (small, stored) = (model(2, 3), Options::storage(0, 0));

    let short = refused(&small, &Options::constants(&[0.0; 7]));
    assert_eq!(short, Error::length("parameters", 7, 128));
    let mut parameters = vec![0.0; 128];
    for bad in [f32::NAN, f32::INFINITY] {
        parameters[65] = bad;
        let got = refused(&small, &Options::constants(&parameters));
        assert!(matches!(&got, Error::Value { place, needed: "finite", .. } if place == "0.bias"), "{got}");
    }
    parameters[65] = 65_520.0;
    let got = small.half_parameters(&parameters).unwrap_err();
    assert!(
        matches!(&got, Error::Value { place, value, .. } if place == "0.bias" && *value == 65_520.0),
        "{got}"
    );
    assert_eq!(small.half_parameters(&[0.0; 3]), Err(Error::length("parameters", 3, 128)));
    // What stands in the gaps of the layout does not matter.
    parameters[65] = 0.0;
    parameters[67] = f32::NAN;
    assert!(
        small.to_wgsl(&Options::constants(&parameters)).is_ok() && small.half_parameters(&parameters).is_ok()
    );

    for name in ["", "_", "__a", "2d", "a b", "größe", "fn", "of", "vec4", "dot"] {
        let got = refused(&small, &stored.clone().name(name));
        assert!(matches!(got, Error::Unsupported { .. }), "{name}: {got}");
    }
    assert!(small.to_wgsl(&stored.clone().name("_a2")).is_ok());

    let function = |place: &str, what, got, most| Error::Function { place: place.into(), what, got, most };
    let wide = model(1048, 1001);
    assert_eq!(
        refused(&wide, &stored),
        function("dense 0", "inputs, outputs and what is between", 2049, 2048)
    );
    let large = model(1024, 1024);
    assert_eq!(refused(&large, &stored), function("the network", "iterations of loops", 263_168, 65_535));
    let parameters = vec![0.0; model(256, 257).flat_len()];
    let got = refused(&model(256, 257), &Options::constants(&parameters));
    assert_eq!(got, function("dense 0", "terms with constants", 16_448, 16_384));
    assert!(model(256, 256).to_wgsl(&Options::constants(&parameters[..model(256, 256).flat_len()])).is_ok());
    assert!(model(256, 255).to_wgsl(&stored).is_ok());

    let mirror = Model::new([4], vec![Layer::Mirror], Loss::mse()).unwrap();
    assert_eq!(refused(&mirror, &stored), Error::unsupported("mirror 0", "mirror as a function in WGSL"));
    let image = || Model::builder([1, 5, 4]);
    let average = AvgPool2d::new(2).ceil_mode(true);
    for (builder, layer) in [
        (image().layer(average.clone()), "avgpool2d 0"),
        (Model::builder([2]).embedding(3, 2), "embedding 0"),
        (Model::builder([2]).layer(HashGrid::new().log2_table(4)), "hashgrid 0"),
    ] {
        let model = builder.loss(Loss::mse()).unwrap();
        let parameters = vec![0.0; model.flat_len()];
        let got = refused(&model, &Options::constants(&parameters));
        assert!(matches!(&got, Error::Unsupported { layer: at, .. } if at == layer), "{layer}: {got}");
    }
    let covered = image().layer(average.count_include_pad(false)).loss(Loss::mse()).unwrap();
    assert!(covered.to_wgsl(&stored).is_ok());
}
