//! Random models of every layer in any order.

use crate::common::relative_max_norm;
use crate::problem::{Problem, losses};
use hesscale::model::{
    AvgPool2d, BatchNorm, Builder, Conv2d, ConvTranspose2d, GroupNorm, Interpolation, LayerNorm, MaxPool2d,
    RmsNorm, Upsample2d,
};
use hesscale::reference::{Dual, pass};
use hesscale::{Activation, Layer, Mode, Model};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};

/// One layer of a random network; a width where it is dense.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Dense(usize, bool),
    Act(Activation),
    Flatten,
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        3 => (1..6_usize, any::<bool>()).prop_map(|(width, bias)| Choice::Dense(width, bias)),
        3 => prop::sample::select(&Activation::ALL[..]).prop_map(Choice::Act),
        1 => Just(Choice::Flatten),
    ]
}

/// Activations and flattening in front on an image-like input, then anything, then four logits, perhaps through an
/// activation. `widest` bounds every dense layer.
fn model(layers: &[Choice], loss: usize, outputs: usize, widest: usize) -> Model {
    let side = if widest == 1 { 1 } else { 2 };
    let mut builder =
        Model::builder([1, side, side]).act(Activation::Sin { frequency: 1.0 }).layer(Layer::Flatten);
    for choice in layers {
        builder = match *choice {
            Choice::Dense(width, true) => builder.dense(width.min(widest)),
            Choice::Dense(width, false) => builder.dense_no_bias(width.min(widest)),
            // Repeated exp overflows, and nothing can be compared at 1e300.
            Choice::Act(Activation::Exp) => builder.act(Activation::Tanh).act(Activation::Exp),
            Choice::Act(activation) => builder.act(activation),
            Choice::Flatten => builder.layer(Layer::Flatten),
        };
    }
    builder.dense(outputs).loss(losses(outputs.max(2)).swap_remove(loss)).unwrap()
}

/// A layer of images with two numbers to vary it; convolutions find their input channels themselves.
type Shaped = fn(usize, usize) -> Layer;

/// Every kind of them.
const SHAPED: [Shaped; 19] = [
    |a, b| Conv2d::new(2 + a, [1 + b, 3]).padding([b, 1]).stride([1 + a % 2, 1]).into(),
    |a, b| Conv2d::new(2, [2, 3]).dilation([1 + a, 1 + b % 2]).groups(2).bias(b > 0).padding(1).into(),
    |a, b| Conv2d::new(1 + a, 2 + b).same().into(),
    |a, b| {
        ConvTranspose2d::new(2 + a % 2, [1 + a, 2])
            .stride([1, 2])
            .output_padding([0, b % 2])
            .bias(b > 0)
            .into()
    },
    |a, b| ConvTranspose2d::new(2, 2).padding(a % 2).dilation(1 + b % 2).groups(2).into(),
    |a, b| MaxPool2d::new([2, 2 + a]).stride([1, 1 + b]).padding([1, a.min(1)]).into(),
    |a, b| AvgPool2d::new([2, 1 + a]).stride([1, 1 + b]).padding([1, 0]).count_include_pad(a == b).into(),
    |a, b| Layer::AdaptiveAvgPool2d { output: [1 + a, 2 + b] },
    |a, b| Layer::ZeroPad2d { padding: [a, b, 1, 0] },
    |a, b| Layer::ReflectionPad2d { padding: [a, 1, b, 0] },
    |a, b| Layer::ReplicationPad2d { padding: [0, 2 * a, b, 1] },
    |a, b| {
        let modes = [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::BilinearAligned];
        Upsample2d::nearest([1 + b, 2]).mode(modes[a]).into()
    },
    |a, b| MaxPool2d::new([2, 2 + a]).stride(2).padding([b % 2, 1]).ceil_mode(true).into(),
    |a, b| BatchNorm::new(vec![0.5, -0.25 * a as f32], vec![1.0, 0.5 + b as f32]).into(),
    // Of few numbers little but ε and rounding is left, so ε is large.
    |a, b| GroupNorm::new(1 + a % 2).eps(0.5).affine(b > 0).into(),
    |_, b| LayerNorm::new().eps(0.5).affine(b > 0).into(),
    |_, b| RmsNorm::new().eps(0.5).affine(b > 0).into(),
    |a, b| Layer::Dropout { p: 0.2 * (a + b) as f64 },
    |a, b| {
        let body = vec![Conv2d::new(2, 1 + 2 * b).inputs(2).same().into(), Activation::Tanh.into()];
        let projection = [vec![], vec![Conv2d::new(2, 1).inputs(2).into()], vec![Layer::Identity]];
        Layer::Residual { body, projection: projection[a].clone() }
    },
];

/// An image layer, or an activation.
#[derive(Debug, Clone, Copy)]
enum Image {
    Shaped(usize, usize, usize),
    Act(Activation),
}

fn image() -> impl Strategy<Value = Image> {
    prop_oneof![
        3 => (0..SHAPED.len(), 0..3_usize, 0..3_usize).prop_map(|(kind, a, b)| Image::Shaped(kind, a, b)),
        2 => prop::sample::select(&Activation::ALL[..]).prop_map(Image::Act),
    ]
}

/// A convolution, then those of the layers that fit the shape that reaches them, then four logits.
fn image_model(layers: &[Image], loss: usize) -> Model {
    let start = || Model::builder([1, 5, 4]).conv2d(2, 2);
    let fits =
        |builder: &Builder| builder.clone().loss(hesscale::Loss::mse()).is_ok_and(|m| m.outputs() < 200);
    let builder = layers.iter().fold(start(), |builder, layer| {
        let longer = match *layer {
            Image::Shaped(kind, a, b) => builder.clone().layer(SHAPED[kind](a, b)),
            Image::Act(Activation::Exp) => builder.clone().act(Activation::Tanh).act(Activation::Exp),
            Image::Act(activation) => builder.clone().act(activation),
        };
        if fits(&longer) { longer } else { builder }
    });
    builder.flatten().dense(4).loss(losses(4).swap_remove(loss)).unwrap()
}

/// The loss's slope along a random direction of parameters and input, against their gradients.
fn assert_slope(problem: &Problem, seed: u64) -> Result<(), TestCaseError> {
    let backward = problem.pass(Mode::None);
    let gradients = || backward.gradient.iter().chain(&backward.input_signal.g);
    let mut random = fastrand::Rng::with_seed(seed ^ 1);
    let v: Vec<f64> = gradients().map(|_| random.f64() * 2.0 - 1.0).collect();
    let values = problem.parameters.iter().chain(&problem.input);
    let along: Vec<_> = values.zip(&v).map(|(value, slope)| Dual { value: *value, slope: *slope }).collect();
    let (parameters, input) = along.split_at(problem.parameters.len());
    let slope =
        pass(&problem.model, Mode::None, parameters, input, problem.targets.view()).unwrap().loss.slope;
    let terms = || gradients().zip(&v).map(|(g, v)| g * v);
    let (sum, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
    prop_assert!((sum - slope).abs() <= 1e-11 * size + 1e-300, "{} {}", sum, slope);
    Ok(())
}

/// The same problem, its numbers exact in f32, so that only the arithmetic differs.
fn assert_f32_follows(problem: Problem) -> Result<(), TestCaseError> {
    let single = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let (parameters, input) = (single(&problem.parameters), single(&problem.input));
    let double = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    let problem = Problem { parameters: double(&parameters), input: double(&input), ..problem };
    for mode in Mode::ALL {
        let got = pass(&problem.model, mode, &parameters, &input, problem.targets.view()).unwrap();
        let want = problem.pass(mode);
        for (got, want) in [(got.gradient, want.gradient), (got.diagonal, want.diagonal)] {
            let error = relative_max_norm(&double(&got), &want);
            prop_assert!(error < 1e-4, "{:?}: {:e}", mode, error);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gradient_is_the_slope_of_the_loss(
        layers in prop::collection::vec(choice(), 0..7),
        loss in 0..12_usize,
        batch in 1..5_usize,
        seed: u64,
    ) {
        assert_slope(&Problem::new(model(&layers, loss, 4, 5), batch, seed), seed)?;
    }

    #[test]
    fn chains_of_width_one_are_exact(
        layers in prop::collection::vec(choice(), 0..7),
        loss in 5..9_usize,
        batch in 1..5_usize,
        seed: u64,
    ) {
        let problem = Problem::new(model(&layers, loss, 1, 1), batch, seed);
        let exact = problem.exact();
        for mode in [Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2] {
            let error = relative_max_norm(&problem.pass(mode).diagonal, &exact);
            prop_assert!(error < 1e-10, "{:?}: {:e}", mode, error);
        }
    }

    #[test]
    fn f32_follows_f64(
        layers in prop::collection::vec(choice(), 0..7),
        loss in 0..12_usize,
        seed: u64,
    ) {
        assert_f32_follows(Problem::new(model(&layers, loss, 4, 5), 3, seed))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, rng_seed: RngSeed::Fixed(21), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gradient_through_images_is_the_slope_of_the_loss(
        layers in prop::collection::vec(image(), 0..8),
        loss in 0..12_usize,
        batch in 1..4_usize,
        seed: u64,
    ) {
        assert_slope(&Problem::new(image_model(&layers, loss), batch, seed), seed)?;
    }

    #[test]
    fn f32_follows_f64_through_images(
        layers in prop::collection::vec(image(), 0..6),
        loss in 0..12_usize,
        seed: u64,
    ) {
        assert_f32_follows(Problem::new(image_model(&layers, loss), 2, seed))?;
    }
}

/// The random networks above would pass trivially if no layer ever fitted.
#[test]
fn every_image_layer_fits_in_somewhere() {
    for kind in 0..SHAPED.len() {
        for (a, b) in (0..9).map(|i| (i / 3, i % 3)) {
            let model = image_model(&[Image::Shaped(kind, a, b)], 0);
            assert_eq!(model.layers().len(), 4, "{kind} {a} {b}: {:?}", model.layers());
        }
    }
}
