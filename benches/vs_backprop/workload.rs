//! The workloads: networks, batch sizes, modes.

use hesscale::model::{Attention, Builder, Conv1d, Conv2d, Init, LayerNorm, Matrix, MaxPool2d, Targets};
use hesscale::{
    Activation, Context, Error, Layer, Loss, Mode, Model, Plan, PlanOptions, Products, Result, State,
};

/// Plain backprop first.
pub(crate) const MODES: [Mode; 5] =
    [Mode::None, Mode::HesScaleGn, Mode::HesScale, Mode::HesScaleR1, Mode::HesScaleR2];

/// Whose products are timed beside the modes, with the names of a first product and of one behind another at the same parameters.
pub(crate) const MATRICES: [([&str; 2], Matrix); 2] =
    [(["H v", "H v, next"], Matrix::Hessian), (["G v", "G v, next"], Matrix::GaussNewton)];

/// A network at a batch size.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) network: &'static str,
    pub(crate) batch: usize,
    pub(crate) model: Model,
}

/// A batch, with one of the two kinds of targets.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) inputs: Vec<f32>,
    classes: Vec<u32>,
    values: Vec<f32>,
}

impl Data {
    pub(crate) fn targets(&self) -> Targets<'_> {
        if self.values.is_empty() { Targets::Classes(&self.classes) } else { Targets::Values(&self.values) }
    }
}

/// All workloads, or those with `only` in their name.
///
/// # Errors
/// A message for the user if there is none.
pub(crate) fn chosen(only: Option<&str>) -> std::result::Result<Vec<Workload>, Box<dyn std::error::Error>> {
    let all = all()?;
    let known = all.iter().map(Workload::name).collect::<Vec<_>>().join("; ");
    let matches = |w: &Workload| only.is_none_or(|part| w.name().contains(part));
    let chosen: Vec<_> = all.into_iter().filter(matches).collect();
    match (chosen.is_empty(), only) {
        (true, Some(only)) => Err(format!("no workload has `{only}` in its name; there are: {known}").into()),
        _ => Ok(chosen),
    }
}

fn all() -> Result<Vec<Workload>> {
    let tanh = |builder: hesscale::model::Builder| builder.act(Activation::Tanh);
    let small =
        tanh(tanh(Model::builder([784]).dense(512)).dense(512)).dense(10).loss(Loss::cross_entropy())?;
    let wide = (0..4).fold(Model::builder([784]), |builder, _| tanh(builder.dense(1024)));
    let wide = wide.dense(10).loss(Loss::cross_entropy())?;
    // Without biases and with mean squared error, as in the cost experiment of the HesScale paper.
    let deep = (0..9).fold(Model::builder([64]), |builder, _| tanh(builder.dense_no_bias(512)));
    let deep = deep.dense_no_bias(100).loss(Loss::mse())?;
    let at = |network, model: &Model, batches: &[usize]| -> Vec<Workload> {
        batches.iter().map(|&batch| Workload { network, batch, model: model.clone() }).collect()
    };
    let mut workloads = at("784-512-512-10 tanh", &small, &[1, 32, 128, 512]);
    workloads.extend(at("784-1024x4-10 tanh", &wide, &[32, 128]));
    workloads.extend(at("64-512x9-100 tanh", &deep, &[1]));
    workloads.extend(at("CIFAR-10 3C3D elu", &three_convolutions()?, &[32, 128]));
    workloads.extend(at("CIFAR-100 All-CNN-C relu", &all_convolutions()?, &[16]));
    workloads.extend(at("ResNet-20 group norm", &resnet_20()?, &[32]));
    workloads.extend(at("Transformer 2x64 at 64", &transformer()?, &[32]));
    Ok(workloads)
}

/// Three convolutions with max pooling, three dense layers: 370,922 parameters.
fn three_convolutions() -> Result<Model> {
    let elu = Activation::Elu { alpha: 1.0 };
    let stage = |builder: Builder, outputs, kernel| {
        builder.conv2d(outputs, kernel).act(elu).layer(MaxPool2d::new(3).stride(2))
    };
    let body = stage(stage(stage(Model::builder([3, 32, 32]), 64, 5), 96, 3), 128, 3).flatten();
    body.dense(512).act(elu).dense(256).act(elu).dense(10).loss(Loss::cross_entropy())
}

/// Nine convolutions, the mean of each channel at the end; without dropout, whose masks cost the same in every mode.
fn all_convolutions() -> Result<Model> {
    let conv = |builder: Builder, conv: Conv2d| builder.layer(conv).act(Activation::Relu);
    let same = |outputs| Conv2d::new(outputs, 3).padding(1);
    let stages = [
        same(96),
        same(96),
        same(96).stride(2),
        same(192),
        same(192),
        same(192).stride(2),
        Conv2d::new(192, 3),
        Conv2d::new(192, 1),
        Conv2d::new(100, 1),
    ];
    let body = stages.into_iter().fold(Model::builder([3, 32, 32]), conv);
    body.layer(Layer::global_avg_pool()).flatten().loss(Loss::cross_entropy())
}

/// He et al., 2016, with group normalisation.
fn resnet_20() -> Result<Model> {
    let relu = Activation::Relu;
    let conv = |channels, stride| Conv2d::new(channels, 3).padding(1).stride(stride).bias(false);
    let mut model = Model::builder([3, 32, 32]).layer(conv(16, 1)).group_norm(8).act(relu);
    for (channels, block) in
        [16, 32, 64].into_iter().flat_map(|channels| [0, 1, 2].map(|block| (channels, block)))
    {
        let shrinks = channels > 16 && block == 0;
        let stride = 1 + usize::from(shrinks);
        let body = |b: Builder| {
            let b = b.layer(conv(channels, stride)).group_norm(8).act(relu);
            b.layer(conv(channels, 1)).group_norm(8)
        };
        let shortcut = Conv2d::new(channels, 1).stride(stride).bias(false);
        let shortcut = |b: Builder| if shrinks { b.layer(shortcut).group_norm(8) } else { b };
        model = model.residual_projected(body, shortcut).act(relu);
    }
    model.layer(Layer::global_avg_pool()).flatten().dense(10).loss(Loss::cross_entropy())
}

/// Two blocks of width 64 with four heads over 64 positions, a value for each.
fn transformer() -> Result<Model> {
    let line = |channels| Conv1d::new(channels, 1);
    let mut model = Model::builder([64, 64]);
    for _ in 0..2 {
        model = model.residual(|b| {
            let b = b.layer(LayerNorm::of_channels()).layer(line(192));
            b.layer(Attention::new(4).causal(true)).layer(line(64))
        });
        model = model.residual(|b| {
            let b = b.layer(LayerNorm::of_channels()).layer(line(256));
            b.act(Activation::Gelu).layer(line(64))
        });
    }
    model.layer(LayerNorm::of_channels()).layer(line(64)).loss(Loss::mse())
}

impl Workload {
    pub(crate) fn name(&self) -> String {
        format!("{}, batch {}", self.network, self.batch)
    }

    /// Parameters on the device, shared by the plans of all modes.
    pub(crate) fn state(&self, context: &Context) -> Result<State> {
        let state = State::new(context, &self.model, None)?;
        state.write_parameters(&self.model.init(Init::Glorot, 1)?)?;
        Ok(state)
    }

    /// A plan with input and targets written.
    pub(crate) fn plan(&self, context: &Context, state: &State, mode: Mode) -> Result<Plan> {
        let plan = Plan::new(context, &self.model, state, self.batch, PlanOptions::training(mode))?;
        let data = self.data();
        plan.write_input(&data.inputs)?;
        plan.write_targets(data.targets())?;
        Ok(plan)
    }

    /// Plans of products with matrices, of those that the network has, along its own parameters.
    pub(crate) fn products(
        &self,
        context: &Context,
        state: &State,
    ) -> Result<Vec<([&'static str; 2], Products)>> {
        let mut all = Vec::new();
        for (names, matrix) in MATRICES {
            let options = PlanOptions::training(Mode::None);
            let products = match Products::new(context, &self.model, self.batch, matrix, options) {
                Err(Error::Unsupported { .. }) => continue,
                products => products?,
            };
            let data = self.data();
            products.plan().write_input(&data.inputs)?;
            products.plan().write_targets(data.targets())?;
            let mut encoder = context.device().create_command_encoder(&Default::default());
            products.record(&mut encoder, state, state.parameters())?;
            context.queue().submit([encoder.finish()]);
            all.push((names, products));
        }
        Ok(all)
    }

    /// A batch, drawn from a fixed seed.
    pub(crate) fn data(&self) -> Data {
        let mut random = fastrand::Rng::with_seed(1);
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.f32()).collect() };
        let inputs = numbers(self.batch * self.model.inputs());
        if self.model.loss().takes_classes() {
            let outputs = self.model.outputs() as u32;
            let classes = (0..self.batch as u32).map(|sample| sample % outputs).collect();
            return Data { inputs, classes, values: Vec::new() };
        }
        let values = numbers(self.batch * self.model.outputs());
        Data { inputs, classes: Vec::new(), values }
    }
}
