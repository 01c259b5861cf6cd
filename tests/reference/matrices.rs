//! Products with matrices of second derivatives: the networks that they are tried on, and what they are by dual numbers.

use crate::common::{compare, to_f64};
use crate::problem::{Problem, losses};
use hesscale::model::{
    AvgPool2d, Conv1d, Conv2d, ConvTranspose2d, GroupNorm, HashGrid, LayerNorm, Matrix, MaxPool2d, Noise,
    OutputSignal, PositionEmbedding, RmsNorm, Targets, Upsample2d,
};
use hesscale::reference::{Dual, pass_from_signal, predict, weighted_loss_and_signal, weighted_pass};
use hesscale::{Activation, Layer, Loss, Mode, Model};

const TANH: Activation = Activation::Tanh;

/// Every kind of layer that has a rule, in sizes unlike each other.
pub(crate) fn networks() -> Vec<(&'static str, Model)> {
    let entropy = |builder: hesscale::model::Builder| builder.loss(Loss::cross_entropy()).unwrap();
    let squares = |builder: hesscale::model::Builder| builder.loss(Loss::mse()).unwrap();
    let image = || Model::builder([3, 12, 10]).layer(Conv2d::new(6, 3).same()).act(TANH);
    let gelu = Activation::Gelu;
    let adaptive = || Layer::AdaptiveAvgPool2d { output: [2, 3] };
    vec![
        ("one layer", entropy(Model::builder([5]).dense(3))),
        (
            "dense",
            entropy(Model::builder([13]).dense(70).act(TANH).dense(33).act(Activation::Softplus).dense(10)),
        ),
        ("no bias", squares(Model::builder([9]).dense_no_bias(12).act(gelu).dense_no_bias(3))),
        (
            "act twice",
            squares(Model::builder([6]).act(TANH).dense(9).act(TANH).act(Activation::Sigmoid).dense(2)),
        ),
        ("act last", squares(Model::builder([6]).dense(9).act(Activation::Relu).dense(4).act(TANH))),
        (
            "pools",
            entropy(
                image()
                    .layer(MaxPool2d::new(2))
                    .layer(Conv2d::new(8, 3))
                    .act(Activation::Silu)
                    .layer(AvgPool2d::new(2).stride(1))
                    .flatten()
                    .dense(7)
                    .act(TANH)
                    .dense(4),
            ),
        ),
        (
            "windows",
            entropy(
                image()
                    .layer(MaxPool2d::new(3).stride(2).padding(1))
                    .layer(Conv2d::new(6, 3).same().groups(6))
                    .act(TANH)
                    .layer(Conv2d::new(4, 2).stride(2).groups(2))
                    .layer(adaptive())
                    .flatten()
                    .dense(5),
            ),
        ),
        (
            "sizes",
            squares(
                Model::builder([4, 5, 6])
                    .layer(ConvTranspose2d::new(8, 3).stride(2))
                    .act(TANH)
                    .layer(Layer::PixelUnshuffle { factor: 1 })
                    .layer(Layer::ZeroPad2d { padding: [1, 2, 0, 1] })
                    .layer(Upsample2d::bilinear(2))
                    .layer(Layer::ReflectionPad2d { padding: [1, 0, 2, 1] })
                    .layer(Layer::PixelShuffle { factor: 2 })
                    .layer(Conv2d::new(3, 3).stride(3)),
            ),
        ),
        // The widest values are made by layers with parameters, without an activation behind them.
        (
            "wide before a mean",
            squares(
                Model::builder([1, 8, 8])
                    .conv2d(8, 1)
                    .act(TANH)
                    .conv2d(16, 1)
                    .layer(AvgPool2d::new(2))
                    .flatten()
                    .dense(10),
            ),
        ),
        (
            "wide before narrow",
            squares(Model::builder([1, 8, 8]).conv2d(4, 1).act(TANH).conv2d(16, 1).conv2d(1, 1)),
        ),
        (
            "sequence",
            entropy(
                Model::builder([3, 17])
                    .layer(Conv1d::new(6, 3))
                    .act(TANH)
                    .layer(Conv1d::new(5, 2).stride(2))
                    .act(gelu)
                    .last()
                    .dense(4),
            ),
        ),
        (
            "blocks",
            entropy(
                Model::builder([7])
                    .dense(11)
                    .act(TANH)
                    .residual(|body| body.dense(11).act(gelu).dense(11))
                    .residual_projected(|body| body.dense(6).act(TANH), |body| body.dense(6))
                    .act(TANH)
                    .dense(3),
            ),
        ),
        (
            "values",
            squares(
                Model::builder([7])
                    .dense(10)
                    .act(TANH)
                    .name("a")
                    .dense(10)
                    .act(Activation::Sigmoid)
                    .multiply("a")
                    .name("b")
                    .dense(10)
                    .plus("a")
                    .concat("b")
                    .dropout(0.4)
                    .dense(3),
            ),
        ),
        (
            "images joined",
            entropy(
                image()
                    .name("skip")
                    .layer(Conv2d::new(6, 3).same())
                    .act(gelu)
                    .concat("skip")
                    .layer(Conv2d::new(4, 1))
                    .act(TANH),
            ),
        ),
        (
            "shared",
            entropy(
                Model::builder([8]).dense(8).act(TANH).shared("0").act(TANH).shared("0").act(gelu).dense(5),
            ),
        ),
        (
            "norms of rows",
            entropy(
                Model::builder([7])
                    .dense(11)
                    .layer_norm()
                    .act(TANH)
                    .dense(9)
                    .rms_norm()
                    .act(gelu)
                    .layer(LayerNorm::new().affine(false))
                    .dense(3),
            ),
        ),
        (
            "norms of images",
            entropy(
                image()
                    .layer(GroupNorm::new(3))
                    .act(TANH)
                    .layer(Conv2d::new(8, 3).same())
                    .layer(GroupNorm::new(8).affine(false))
                    .residual(|body| body.layer(Conv2d::new(8, 3).same()).group_norm(1).act(Activation::Relu))
                    .layer(Layer::global_avg_pool())
                    .flatten()
                    .dense(4),
            ),
        ),
        (
            "norms of positions",
            squares(
                Model::builder([3, 9])
                    .layer(Conv1d::new(6, 2))
                    .layer(LayerNorm::of_channels())
                    .act(TANH)
                    .layer(Conv1d::new(5, 2))
                    .layer(RmsNorm::of_channels())
                    .layer(Conv1d::new(2, 1)),
            ),
        ),
        (
            "four dimensions",
            squares(
                Model::builder([4, 2, 3, 2])
                    .layer(GroupNorm::new(2))
                    .act(TANH)
                    .layer(GroupNorm::new(4))
                    .layer(LayerNorm::of_channels())
                    .flatten()
                    .dense(3),
            ),
        ),
        ("a value by itself", squares(Model::builder([5]).dense(6).name("a").multiply("a").dense(2))),
        (
            "inputs beside",
            squares(
                Model::builder([6]).name("x").dense(6).act(TANH).multiply("x").plus("x").act(gelu).dense(2),
            ),
        ),
        (
            "tables",
            entropy(
                Model::builder([9])
                    .embedding(7, 4)
                    .layer(PositionEmbedding::new())
                    .layer(Conv1d::new(6, 2))
                    .act(TANH)
                    .flatten()
                    .dense(3),
            ),
        ),
        (
            "points",
            squares(
                Model::builder([2])
                    .layer(HashGrid::new().levels(3).log2_table(5))
                    .dense(9)
                    .act(TANH)
                    .dense(1),
            ),
        ),
        (
            "encoded",
            squares(
                Model::builder([3])
                    .layer(Layer::FrequencyEncoding { octaves: 3 })
                    .dense(9)
                    .act(TANH)
                    .dense(2),
            ),
        ),
    ]
}

/// Every loss that has a Hessian here, behind two layers.
pub(crate) fn losses_of_products() -> Vec<Model> {
    let rows =
        losses(6).into_iter().map(|loss| Model::builder([5]).dense(8).act(TANH).dense(6).loss(loss).unwrap());
    let mean = Loss::cross_entropy().ignore_index(2).weighted_mean();
    let positions = [Loss::cross_entropy().into(), mean.into(), Loss::mse()].map(|loss: Loss| {
        Model::builder([2, 5, 4]).conv2d(6, 3).act(TANH).layer(Conv2d::new(4, 2)).loss(loss).unwrap()
    });
    // More classes than one invocation takes.
    let many = Model::builder([5]).dense(8).act(TANH).dense(130).loss(Loss::cross_entropy()).unwrap();
    rows.chain(positions).chain([many]).collect()
}

/// The product by dual numbers over the reference's pass.
pub(crate) fn product(problem: &Problem, matrix: Matrix, weights: Option<&[f32]>, v: &[f64]) -> Vec<f64> {
    let Problem { model, parameters, input, targets } = problem;
    let model = &undropped(model);
    let along = |values: &[f64], slopes: &[f64]| -> Vec<Dual<f64>> {
        values.iter().zip(slopes).map(|(value, slope)| Dual { value: *value, slope: *slope }).collect()
    };
    let (w, x) = (along(parameters, v), along(input, &vec![0.0; input.len()]));
    let noise = Noise::default();
    let slopes = |numbers: Vec<Dual<f64>>| numbers.into_iter().map(|dual| dual.slope).collect();
    match matrix {
        Matrix::GaussNewton => {
            let logits = predict(model, &w, &x).unwrap();
            let signal = weighted_loss_and_signal(model, Mode::None, &logits, targets.view(), weights, noise)
                .unwrap()
                .1;
            let p: Vec<f64> = slopes(signal.g);
            let signal = OutputSignal { g: &p, h: &[], u: &[] };
            pass_from_signal(model, Mode::None, parameters, input, signal, noise).unwrap().gradient
        }
        _ => {
            slopes(weighted_pass(model, Mode::None, &w, &x, targets.view(), weights, noise).unwrap().gradient)
        }
    }
}

/// The model without its dropout, which does nothing in products.
fn undropped(model: &Model) -> Model {
    let layers = model.layers().iter().map(|layer| match layer {
        Layer::Dropout { .. } => Layer::Identity,
        layer => layer.clone(),
    });
    Model::new(model.input_shape(), layers.collect(), model.loss().clone()).unwrap()
}

/// What is compared with it: the products of a path in f32.
pub(crate) type Path<'a> = dyn FnMut(&Case<'_>) -> Vec<f32> + 'a;

/// One product.
pub(crate) struct Case<'a> {
    pub model: &'a Model,
    pub matrix: Matrix,
    pub batch: usize,
    pub parameters: &'a [f32],
    pub input: &'a [f32],
    pub targets: Targets<'a>,
    pub weights: Option<&'a [f32]>,
    pub v: &'a [f32],
}

/// Compares both matrices' products, along a random direction, with the reference's.
pub(crate) fn follows_the_reference(
    name: &str,
    model: &Model,
    batch: usize,
    weighted: bool,
    path: &mut Path<'_>,
) {
    let to_f32 = |numbers: &[f64]| -> Vec<f32> { numbers.iter().map(|x| *x as f32).collect() };
    let mut problem = Problem::new(model.clone(), batch, 7);
    // As f32 holds them.
    for numbers in [&mut problem.parameters, &mut problem.input] {
        numbers.iter_mut().for_each(|x| *x = f64::from(*x as f32));
    }
    let (parameters, input) = (to_f32(&problem.parameters), to_f32(&problem.input));
    let mut random = fastrand::Rng::with_seed(3);
    let mut v = vec![0.0_f32; model.flat_len()];
    model.parameters().iter().for_each(|p| v[p.range()].fill_with(|| random.f32() * 2.0 - 1.0));
    let weights: Vec<f32> = (0..batch).map(|_| random.f32() * 3.0 - 1.0).collect();
    let weights = weighted.then_some(&weights[..]);
    for matrix in [Matrix::Hessian, Matrix::GaussNewton] {
        let (v, targets) = (&v[..], problem.targets.view());
        let (parameters, input) = (&parameters[..], &input[..]);
        let got = path(&Case { model, matrix, batch, parameters, input, targets, weights, v });
        let want = product(&problem, matrix, weights, &to_f64(v));
        if let Err(error) = compare("product", &to_f64(&got), &want, 5e-5) {
            panic!("{name}, {matrix:?}, {batch} samples, {:?}: {error}", model.loss());
        }
    }
}
