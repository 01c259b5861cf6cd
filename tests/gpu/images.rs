//! Random convolutional networks over the whole space of layers and their options: the GPU against the f64 reference.

use crate::harness::{Sample, context, spared};
use crate::layers::norm;
use crate::problem::losses;
use hesscale::model::{AvgPool2d, Conv1d, Conv2d, ConvTranspose2d, MaxPool2d, Upsample2d};
use hesscale::{Activation, At, Layer, Loss, Mode, Model};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

/// The options of a layer; each kind reads those it needs. Sizes come from short lists, because a window's shape is part of the
/// shader.
#[derive(Debug, Clone)]
struct Choice {
    kind: usize,
    channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    flag: bool,
    activation: Activation,
}

fn choice() -> impl Strategy<Value = Choice> {
    let either = |values: &'static [[usize; 2]]| select(values);
    (
        0..16_usize,
        select(&[1_usize, 3, 4, 5, 8, 33][..]),
        either(&[[3, 3], [1, 1], [2, 2], [2, 3]]),
        either(&[[1, 1], [2, 2], [3, 1]]),
        either(&[[0, 0], [1, 1], [1, 0]]),
        either(&[[1, 1], [1, 1], [2, 1]]),
        any::<bool>(),
        select(&[Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Elu { alpha: 1.0 }][..]),
    )
        .prop_map(|(kind, channels, kernel, stride, padding, dilation, flag, activation)| Choice {
            kind,
            channels,
            kernel,
            stride,
            padding,
            dilation,
            flag,
            activation,
        })
}

impl Choice {
    /// The layer on an image of `channels`.
    fn layer(&self, channels: usize) -> Layer {
        let Choice { kernel, stride, padding, dilation, flag, .. } = *self;
        let convolution = |outputs| {
            Conv2d::new(outputs, kernel).stride(stride).padding(padding).dilation(dilation).bias(flag)
        };
        // Padding of a pool is at most half its window.
        let half = std::array::from_fn::<_, 2, _>(|axis| padding[axis].min(kernel[axis] / 2));
        match self.kind {
            0..4 => convolution(self.channels).into(),
            4 => convolution(channels).groups(channels).into(),
            5 => convolution(2 * channels).groups(channels).into(),
            6 => ConvTranspose2d::new(self.channels, kernel).stride(stride).bias(flag).into(),
            7 => MaxPool2d::new(kernel).stride(stride).padding(half).into(),
            8 => AvgPool2d::new(kernel).stride(stride).padding(half).count_include_pad(flag).into(),
            9 => Layer::AdaptiveAvgPool2d { output: if flag { [1, 1] } else { [2, 3] } },
            10 => Layer::ZeroPad2d { padding: [padding[0], stride[0], padding[1], 0] },
            11 => norm(channels).into(),
            12 => Layer::Dropout { p: 0.3 },
            14 if flag => Upsample2d::bilinear(stride).into(),
            14 => AvgPool2d::new(kernel).stride(stride).padding(half).ceil_mode(true).into(),
            13 => Layer::Residual {
                body: vec![
                    Conv2d::new(channels, [3, 3]).same().inputs(channels).into(),
                    self.activation.into(),
                    Conv2d::new(channels, 1).inputs(channels).bias(flag).into(),
                ],
                projection: Vec::new(),
            },
            _ => self.activation.into(),
        }
    }
}

/// Those of the layers that fit, on images; then, where `dense`, an end in rows.
fn model(input: [usize; 3], choices: &[Choice], dense: Option<Choice>, loss: usize, mode: Mode) -> Model {
    let (mut builder, mut shape) = (Model::builder(input), input.to_vec());
    for choice in choices {
        let longer = builder.clone().layer(choice.layer(shape[0]));
        match longer.clone().loss(Loss::mse()) {
            Ok(model) if model.outputs() <= 4000 => {
                (builder, shape) = (longer, model.output_shape().to_vec());
            }
            _ => {}
        }
    }
    let builder = match dense {
        None => builder.layer(Conv2d::new(4, 1)),
        Some(choice) if choice.flag => builder.flatten().layer(norm(shape.iter().product())).dense(4),
        Some(choice) => builder.flatten().dense(6).act(choice.activation).dropout(0.2).dense(4),
    };
    // A variance head for each mean, and HesScale-R of a cross-entropy, are of one position.
    let fits = |loss: &Loss| builder.clone().loss(loss.clone()).is_ok_and(|model| supported(&model, mode));
    let loss = losses(4).into_iter().cycle().skip(loss).find(fits).unwrap();
    builder.loss(loss).unwrap()
}

fn supported(model: &Model, mode: Mode) -> bool {
    model.positions() == 1 || mode.rank() == 0 || !matches!(model.loss(), Loss::SoftmaxCrossEntropy { .. })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if spared() { 8 } else { 20 },
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_networks_follow_the_reference(
        input in select(&[[3_usize, 6, 7], [4, 5, 5], [1, 8, 4]][..]),
        choices in prop::collection::vec(choice(), 1..5),
        dense in prop::option::weighted(0.6, choice()),
        loss in 0..12_usize,
        mode in select(&Mode::ALL[..]),
        batch in select(&[1_usize, 2, 5][..]),
        kept in any::<u16>(),
        seed: u64,
    ) {
        let sample = Sample::new(model(input, &choices, dense, loss, mode), batch, seed);
        // A third of the places, and none at all every other time.
        let chosen = |i: usize| kept % 2 == 0 && (kept >> (i + 1)).is_multiple_of(3);
        let places: Vec<At> =
            sample.places().into_iter().enumerate().filter(|(i, _)| chosen(*i)).map(|(_, at)| at).collect();
        if let Err(fault) = sample.follows(&context(), mode, &places) {
            prop_assert!(false, "{:?} {} signals {:?}: {}", mode, sample.model.to_json(), places, fault);
        }
    }

    #[test]
    fn random_sequences_follow_the_reference(
        kernel in 1..5_usize,
        stride in 1..4_usize,
        padding in 0..3_usize,
        dilation in 1..3_usize,
        groups in select(&[1_usize, 3, 6][..]),
        mode in select(&Mode::ALL[..]),
        seed in 0..8_u64,
    ) {
        let layer = Conv1d::new(6, kernel).stride(stride).padding(padding).dilation(dilation).groups(groups);
        let model = Model::builder([2, 15]).layer(Conv1d::new(6, 3)).act(Activation::Tanh).layer(layer);
        let sample = Sample::new(model.flatten().dense(4).loss(Loss::cross_entropy()).unwrap(), 2, seed);
        if let Err(fault) = sample.follows(&context(), mode, &[]) {
            prop_assert!(false, "{:?} {}: {}", mode, sample.model.to_json(), fault);
        }
    }
}
