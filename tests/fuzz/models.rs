//! Models from JSON and from calls of the builder.

use crate::fuzz;
use crate::mutate::{self, edge};
use fastrand::Rng;
use hesscale::model::{
    Attention, AvgPool2d, BatchNorm, Builder, ClassTargets, Conv1d, Conv2d, ConvTranspose2d, GroupNorm,
    HashGrid, Interpolation, LayerNorm, Lstm, MaxPool2d, PRelu, Padding, PositionEmbedding, Reduction,
    RmsNorm, Targets, Upsample2d, Variance,
};
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Activation, Context, Error, Layer, Loss, Mode, Model, Optimizer, Result, wgsl};

/// Valid models with every layer and every loss.
const CORPUS: [&str; 17] = [
    r#"{"input":[8],"layers":[{"type":"dense","in":8,"out":4},{"type":"act","fn":"tanh"},{"type":"dense","in":4,"out":3,"bias":false}],"loss":{"type":"softmax_ce","targets":"class_index","reduction":"mean","class_weights":[1,2,0.5],"label_smoothing":0.1,"ignore_index":255}}"#,
    r#"{"input":[2,6,6],"layers":[{"type":"conv2d","in":2,"out":4,"kernel":3,"stride":1,"padding":"same","dilation":1,"groups":2},{"type":"act","fn":"elu","alpha":1.5},{"type":"maxpool2d","kernel":[2,2],"stride":[2,2],"padding":1},{"type":"flatten"},{"type":"dense","in":64,"out":2}],"loss":{"type":"mse","reduction":"sum"}}"#,
    r#"{"input":[3,10],"layers":[{"type":"conv1d","in":3,"out":4,"kernel":3,"stride":2,"padding":1,"dilation":1,"groups":1},{"type":"act","fn":"leaky_relu"},{"type":"flatten"},{"type":"dense","in":20,"out":4}],"loss":{"type":"gaussian_nll","var":"softplus"}}"#,
    r#"{"input":[4,3,3],"layers":[{"type":"convtranspose2d","in":4,"out":2,"kernel":[3,2],"stride":2,"padding":[1,0],"output_padding":1,"dilation":1,"groups":2},{"type":"avgpool2d","kernel":2,"stride":2,"padding":[1,1],"count_include_pad":false},{"type":"zeropad2d","padding":[1,0,2,1]},{"type":"adaptiveavgpool2d","output":[2,1]}],"loss":{"type":"softmax_ce","targets":"soft"}}"#,
    r#"{"input":[3,4,4],"layers":[{"type":"batchnorm","mean":[0.1,0,-1],"var":[1,0.5,2],"eps":1e-5},{"type":"residual","body":[{"type":"conv2d","in":3,"out":3,"kernel":3,"padding":1},{"type":"dropout","p":0.25}],"projection":[{"type":"conv2d","in":3,"out":3,"kernel":1}]},{"type":"identity"},{"type":"adaptiveavgpool2d","output":1},{"type":"flatten"}],"loss":{"type":"bce_logits"}}"#,
    r#"{"input":[5],"layers":[{"type":"residual","body":[{"type":"residual","body":[{"type":"dense","in":5,"out":5},{"type":"act","fn":"gelu"}]},{"type":"act","fn":"sin"}]},{"type":"dense","in":5,"out":2}],"loss":{"type":"gaussian_nll","reduction":"sum","var":"log"}}"#,
    r#"{"input":[2,5,5],"layers":[{"type":"conv2d","in":2,"out":6,"kernel":[3,1],"stride":[2,1],"padding":[1,0],"dilation":[1,2],"groups":2,"bias":false},{"type":"act","fn":"softplus"},{"type":"act","fn":"log_sigmoid"},{"type":"conv2d","in":6,"out":3,"kernel":1}],"loss":{"type":"softmax_ce"}}"#,
    r#"{"input":[7],"layers":[{"type":"act","fn":"exp"},{"type":"act","fn":"selu"},{"type":"dropout","p":0.9}],"loss":{"type":"mse"}}"#,
    r#"{"input":[2],"layers":[{"type":"dense","in":2,"out":2}],"loss":{"type":"external"}}"#,
    r#"{"input":[2],"layers":[{"type":"frequencyencoding","octaves":2},{"type":"oneblob","bins":3}],"loss":{"type":"mse"}}"#,
    r#"{"input":[3],"layers":[{"type":"hashgrid","levels":3,"features":2,"log2_table":4,"base":2,"growth":1.5},{"type":"dense","in":6,"out":2}],"loss":{"type":"mse"}}"#,
    r#"{"input":[5],"layers":[{"type":"identity"},{"type":"embedding","count":7,"width":3},{"type":"flatten"}],"loss":{"type":"mse"}}"#,
    r#"{"input":[2,3,2],"layers":[{"type":"name","name":"x"},{"type":"conv2d","in":2,"out":2,"kernel":1},{"type":"name","name":"y"},{"type":"from","name":"x"},{"type":"multiply","with":"y"},{"type":"add","with":"x"},{"type":"concat","with":"y"}],"loss":{"type":"mse"}}"#,
    r#"{"input":[4,3,2],"layers":[{"type":"upsample2d","scale":[2,3],"mode":"bilinear"},{"type":"pixelshuffle","factor":2},{"type":"reflectionpad2d","padding":[1,0,2,1]},{"type":"replicationpad2d","padding":[0,3,0,2]},{"type":"avgpool2d","kernel":3,"stride":2,"padding":"same","ceil_mode":true},{"type":"pixelunshuffle","factor":1}],"loss":{"type":"mse"}}"#,
    r#"{"input":[3],"layers":[{"type":"dense","in":3,"out":3},{"type":"act","fn":"tanh"},{"type":"shared","layer":"0"},{"type":"residual","body":[{"type":"shared","layer":"0"}]}],"loss":{"type":"mse"}}"#,
    r#"{"input":[4,3,3],"layers":[{"type":"groupnorm","channels":4,"groups":2,"eps":1e-5},{"type":"flatten"},{"type":"layernorm","shape":[36],"affine":false},{"type":"rmsnorm","shape":[36],"eps":1e-6}],"loss":{"type":"mse"}}"#,
    r#"{"input":[3],"layers":[{"type":"act","fn":"custom","name":"cube","wgsl":"fn act(a: f32) -> f32 { return a * a * a; } fn act_d(a: f32) -> vec2<f32> { return vec2(3.0 * a * a, 6.0 * a); }"},{"type":"dense","in":3,"out":2}],"loss":{"type":"custom","form":"by_row","name":"first","wgsl":"struct Row { a: f32 } fn read_row() -> Row { return Row(output_at(0u)); } fn part(row: Row, k: u32) -> Term { return Term(row.a, f32(k == 0u), 0.0); }","targets":1,"reduction":"sum"}}"#,
];

#[test]
fn json() {
    fuzz("json", 40, |random| {
        let [input, other] = [(); 2].map(|()| CORPUS[random.usize(..CORPUS.len())]);
        let mut text = mutate::text(random, input, other);
        if random.u8(..) == 0 {
            text = nested(random, &text);
        }
        let model = Model::from_json(&text);
        if let Ok(model) = &model {
            use_it(model, random);
        }
        (text.len(), model.is_ok())
    });
}

/// The first layer within so many blocks.
fn nested(random: &mut Rng, text: &str) -> String {
    let depth = random.usize(1..200);
    let (open, close) = (r#"[{"type":"residual","body":"#.repeat(depth), "}]".repeat(depth));
    let layers = r#"[{"type":"identity"}]"#;
    text.replacen(
        "\"layers\":[",
        &format!("\"layers\":[{{\"type\":\"residual\",\"body\":{open}{layers}{close}}},"),
        1,
    )
}

#[test]
fn builder() {
    fuzz("builder", 40, |random| {
        let dimensions = [0, 1, 1, 2, 3, 3, 3, 3, 4][random.usize(..9)];
        let input: Vec<usize> = (0..dimensions).map(|_| size(random)).collect();
        let calls = random.usize(..6);
        let built = build(random, Model::builder(input), calls, 0);
        let loss = loss(random);
        let model: Result<Model> = built.loss(loss);
        if let Ok(model) = &model {
            use_it(model, random);
        }
        (0, model.is_ok())
    });
}

/// Mostly small, sometimes at an edge.
fn size(random: &mut Rng) -> usize {
    if random.u8(..40) == 0 { edge(random) as usize } else { random.usize(1..5) }
}

fn pair(random: &mut Rng) -> [usize; 2] {
    [size(random), size(random)]
}

fn real(random: &mut Rng) -> f64 {
    const REALS: [f64; 12] = [
        0.0,
        0.5,
        1.0,
        -1.0,
        0.25,
        1e-5,
        1e-45,
        1e300,
        f64::NAN,
        f64::INFINITY,
        f64::MIN_POSITIVE,
        0.999_999_999_999_999_9,
    ];
    REALS[random.usize(..REALS.len())]
}

fn build(random: &mut Rng, mut builder: Builder, calls: usize, depth: usize) -> Builder {
    for _ in 0..calls {
        let before = builder.clone();
        builder = match random.u8(..41) {
            0 => builder.dense(size(random)),
            1 => builder.dense_no_bias(size(random)),
            2 => builder.act(Activation::ALL[random.usize(..Activation::ALL.len())]),
            3 => builder.act(Activation::LeakyRelu { alpha: real(random) }),
            4 => builder.conv2d(size(random), pair(random)),
            5 => builder.flatten(),
            6 => builder.dropout(real(random)),
            7 if depth < 3 => {
                let (inner, depth) = (random.usize(..3), depth + 1);
                let mut other = random.fork();
                let projected = random.usize(..2);
                builder.residual_projected(
                    |body| build(random, body, inner, depth),
                    |projection| build(&mut other, projection, projected, depth),
                )
            }
            8 => {
                let padding = match random.u8(..3) {
                    0 => Padding::SAME,
                    1 => Padding::VALID,
                    _ => pair(random).into(),
                };
                let conv = Conv2d::new(size(random), pair(random)).padding(padding).stride(pair(random));
                builder.layer(conv.dilation(pair(random)).groups(size(random)).bias(random.bool()))
            }
            9 => {
                let conv = Conv1d::new(size(random), size(random)).stride(size(random)).padding(size(random));
                builder.layer(conv.dilation(size(random)).groups(size(random)))
            }
            10 => {
                let conv = ConvTranspose2d::new(size(random), pair(random)).stride(pair(random));
                let conv = conv.padding(pair(random)).output_padding(pair(random));
                builder.layer(conv.dilation(pair(random)).groups(size(random)))
            }
            11 => {
                let pool = MaxPool2d::new(pair(random)).stride(pair(random)).padding(pair(random));
                builder.layer(pool.ceil_mode(random.bool()))
            }
            12 => {
                let pool = AvgPool2d::new(pair(random)).stride(pair(random)).padding(pair(random));
                builder.layer(pool.count_include_pad(random.bool()))
            }
            13 => builder.layer(Layer::AdaptiveAvgPool2d { output: pair(random) }),
            14 => {
                let [a, b, c, d] = [(); 4].map(|()| size(random));
                builder.layer(Layer::ZeroPad2d { padding: [a, b, c, d] })
            }
            15 => {
                let channels = random.usize(..7);
                let of = |random: &mut Rng| (0..channels).map(|_| real(random) as f32).collect();
                let norm = BatchNorm::new(of(random), vec![1.0; channels]);
                let norm = if random.u8(..4) == 0 { BatchNorm::of_batch() } else { norm };
                let norm = if random.bool() { norm.momentum(random.f64()) } else { norm };
                builder.layer(norm.eps(real(random)))
            }
            16 => builder.layer(Layer::Dense {
                inputs: size(random),
                outputs: size(random),
                bias: random.bool(),
            }),
            17 => builder.layer(LayerNorm::new().eps(real(random)).affine(random.bool())),
            18 => builder.layer(RmsNorm::new().shape(pair(random)).eps(real(random))),
            19 => {
                let norm = GroupNorm::new(size(random)).channels(random.usize(..5)).eps(real(random));
                builder.layer(norm.affine(random.bool()))
            }
            20 => {
                let modes = [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::BilinearAligned];
                builder.layer(Upsample2d::nearest(pair(random)).mode(modes[random.usize(..3)]))
            }
            21 => {
                let padding = [(); 4].map(|()| size(random).saturating_sub(1));
                let reflects = random.bool();
                builder.layer(match reflects {
                    true => Layer::ReflectionPad2d { padding },
                    false => Layer::ReplicationPad2d { padding },
                })
            }
            22 => builder.layer(Layer::PixelShuffle { factor: size(random) }),
            23 => builder.layer(Layer::PixelUnshuffle { factor: size(random) }),
            24 => builder.name(["x", "y"][random.usize(..2)]),
            25 => builder.from(["x", "y"][random.usize(..2)]),
            26 => builder.plus(["x", "y"][random.usize(..2)]),
            27 => builder.multiply(["x", "y"][random.usize(..2)]),
            28 => builder.concat(["x", "y"][random.usize(..2)]),
            29 => builder.embedding(size(random), size(random)),
            32 => {
                let grid = HashGrid::new().levels(size(random)).features(size(random)).base(size(random));
                builder.layer(grid.log2_table(size(random)).growth(1.0 + real(random)))
            }
            30 => builder.layer(Layer::FrequencyEncoding { octaves: size(random) }),
            31 => builder.layer(Layer::OneBlob { bins: size(random) }),
            34 => builder.layer(Attention::new(size(random)).causal(random.bool())),
            35 => builder.layer(PositionEmbedding::new()),
            39 => builder.shared(["0", "1", "2", "1.body.0"][random.usize(..4)]),
            36 => builder.gru(size(random)),
            37 => builder.layer(Lstm::new(size(random)).bias(random.bool())),
            38 => builder.last(),
            33 => builder.layer([PRelu::new(), PRelu::per_channel()][random.usize(..2)].clone()),
            _ => builder.layer(Layer::Identity),
        };
        // Most refused layers are removed again, so that more layers follow the valid ones.
        let refused = builder.clone().loss(Loss::mse()).is_err();
        if refused && random.u8(..20) > 0 {
            builder = before;
        }
    }
    builder
}

fn loss(random: &mut Rng) -> Loss {
    let reduction = [Reduction::Mean, Reduction::Sum, Reduction::WeightedMean][random.usize(..3)];
    match random.u8(..13) {
        0 => Loss::cross_entropy().into(),
        1 => Loss::Mse { reduction },
        2 => Loss::BceWithLogits { reduction, pos_weight: None },
        3 => Loss::GaussianNll { reduction, var: Variance::Log },
        4 => Loss::Huber { reduction, delta: real(random) },
        5 => Loss::L1 { reduction },
        6 => Loss::RelativeMse { reduction, eps: real(random) },
        7 => {
            let weights = random.usize(..6);
            Loss::BceWithLogits { reduction, pos_weight: Some(vec![real(random) as f32; weights]) }
        }
        8 => Loss::PpoDiscrete { reduction, clip: real(random), entropy: real(random) },
        9 => Loss::PpoGaussian { reduction, clip: real(random), entropy: real(random) },
        10 => Loss::external(),
        _ => {
            let weights = random.usize(..6);
            Loss::SoftmaxCrossEntropy {
                targets: if random.bool() { ClassTargets::ClassIndex } else { ClassTargets::Soft },
                reduction,
                class_weights: random.bool().then(|| vec![real(random) as f32; weights]),
                label_smoothing: real(random) as f32,
                ignore_index: random.bool().then(|| edge(random) as u32),
            }
        }
    }
}

/// Every query of a model that needs no device; small models also train.
fn use_it(model: &Model, random: &mut Rng) {
    let again = Model::from_json(&model.to_json());
    assert_eq!(again.as_ref(), Ok(model), "what is written can be read");
    let layers = 0..model.layers().len();
    let widest = layers.clone().map(|i| model.shape(i).unwrap().iter().product::<usize>()).max().unwrap_or(0);
    assert!(model.inputs() > 0 && widest >= model.outputs() && model.outputs() > 0);
    assert_eq!(layers.map(|i| model.layer_name(i).unwrap()).filter(String::is_empty).count(), 0);
    let end = model.parameters().last().map_or(0, |p| p.range().end);
    assert!(model.parameter_count() <= end && end <= model.flat_len());
    let batch = edge(random) as usize;
    assert!(Context::required_limits(model, batch).max_buffer_size >= 4 * model.flat_len() as u64);

    // As a function in WGSL it is valid, or refused with a reason.
    if model.flat_len() < 3000 && random.u8(..64) == 0 {
        let options = wgsl::Options::storage(0, 0).unroll(random.usize(..512));
        match model.to_wgsl(&options) {
            Ok(text) => {
                naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
            }
            Err(Error::Function { .. }) => {}
            Err(error) => assert!(told_of_the_layer(&error, model), "{error}"),
        }
    }

    let work = model.flat_len().max(widest).max(model.inputs());
    if work < 3000 && random.u8(..8) == 0 {
        learn(model, random);
    }
}

/// Whether it is of a layer that is no function in WGSL.
fn told_of_the_layer(error: &Error, model: &Model) -> bool {
    let Error::Unsupported { layer, kind } = error else { return false };
    let names: Vec<_> = (0..model.layers().len()).map(|i| model.layer_name(i).unwrap()).collect();
    kind.ends_with("as a function in WGSL")
        && names.iter().any(|name| name.starts_with("residual") || name == layer)
}

fn learn(model: &Model, random: &mut Rng) {
    let modes = [&Mode::ALL[..], &[Mode::Fisher, Mode::HesScaleS1, Mode::HesScaleS2]].concat();
    let mode = modes[random.usize(..modes.len())];
    let options = TrainerOptions::default().mode(mode);
    // A loss that has no rule for the mode is refused, and where there is none.
    let Ok(mut trainer) = Trainer::on_cpu(model, Optimizer::sgd(0.1), options) else { return };
    let mut inputs: Vec<f32> = (0..2 * model.inputs()).map(|_| random.f32()).collect();
    // Every table has a row 0.
    if model.check_inputs(&inputs).is_err() {
        inputs.fill(0.0);
    }
    let len = 2 * model.target_len();
    // A policy's action is the index of an output.
    let value = if let Loss::PpoDiscrete { .. } = model.loss() { 0.0 } else { 0.5 };
    let (classes, values) = (vec![0; len], vec![value; len]);
    let targets =
        if model.loss().takes_classes() { Targets::Classes(&classes) } else { Targets::Values(&values) };
    trainer.step(&inputs, targets).unwrap();
    assert_eq!(trainer.predict(&inputs).unwrap().len(), 2 * model.outputs());
}

/// Inputs that fuzzing has found.
#[test]
fn regressions() {
    let small = Model::from_json(CORPUS[3]).unwrap();
    for batch in [0, 1 << 32, usize::MAX] {
        assert!(Context::required_limits(&small, batch).max_buffer_size >= 4 * small.flat_len() as u64);
    }

    // More elements than can be counted, though the first layer leaves few.
    for input in [[1, usize::MAX, 1], [1, 1 << 20, 1 << 20], [1 << 22, 1 << 22, 1 << 22]] {
        let conv = Conv2d::new(1, 1).padding(1).stride(1 << 24);
        for layer in [Layer::Conv2d(conv.inputs(input[0])), Layer::global_avg_pool()] {
            let got = Model::new(input, vec![layer], Loss::mse()).unwrap_err();
            assert!(matches!(&got, Error::Shape { layer, .. } if layer == "input"), "{got}");
        }
    }

    // Numbers come back to the bit.
    let tiny = Model::builder([1])
        .dropout(1e-45)
        .act(Activation::Elu { alpha: 0.1 + 0.2 })
        .loss(Loss::mse())
        .unwrap();
    assert_eq!(Model::from_json(&tiny.to_json()), Ok(tiny));
    // Padded, the weight has more elements than shaders can count.
    let conv = Conv2d::new(1, 1 << 15).padding(1 << 15);
    let padded = Model::builder([1, 2, 2]).layer(conv).loss(Loss::mse()).unwrap();
    assert!(Context::required_limits(&padded, 1).max_buffer_size >= 4 << 30);
}

/// What is nested too deep for a stack or for JSON is refused.
#[test]
fn blocks_within_blocks() {
    let within = |depth: usize| {
        let block = |layer, _| Layer::Residual { body: vec![layer], projection: Vec::new() };
        Model::new([1], vec![(0..depth).fold(Layer::Identity, block)], Loss::mse())
    };
    let deepest = within(32).unwrap();
    assert_eq!(Model::from_json(&deepest.to_json()), Ok(deepest));
    for depth in [33, 50, 3000] {
        let got = within(depth).unwrap_err();
        assert!(
            matches!(&got, Error::Unsupported { kind, .. } if kind == "a block within 32 blocks"),
            "{got}"
        );
    }
}
