//! What the crate's model says: of the adapter, beside what is measured, and of GPUs that are not there.

use crate::Outcome;
use hesscale::model::Conv2d;
use hesscale::tuning::{Forecast, Machine, Outline, ProductTime};
use hesscale::{Activation, Context, Loss, Mode, Model, Optimizer, PlanOptions};

/// The adapter's own machine, if it is one that the model knows.
pub(crate) struct Modelled(Option<Machine>);

impl Modelled {
    pub(crate) fn of(context: &Context) -> Modelled {
        Modelled(Machine::named(&context.describe()))
    }

    pub(crate) fn forecast(
        &self,
        context: &Context,
        model: &Model,
        batch: usize,
        optimizer: Option<&Optimizer>,
        options: &PlanOptions,
    ) -> Outcome<Option<Forecast>> {
        let Some(machine) = &self.0 else { return Ok(None) };
        Ok(Some(Outline::on(context, model, batch, optimizer, options)?.forecast(machine)))
    }
}

/// GFLOP/s of a product by the model; nothing where there is none.
pub(crate) fn rate(forecast: Option<&Forecast>, product: &ProductTime) -> String {
    let [m, n, k] = product.size;
    let what = format!("gemm {}", product.usage.name());
    let sized = format!(" {m}x{n}x{k} tile {}", product.tile);
    let same = |label: &str| label.starts_with(&what) && label.ends_with(&sized);
    let kernel = forecast.and_then(|all| all.kernels.iter().find(|kernel| same(&kernel.label)));
    kernel.map_or(String::new(), |kernel| format!("{:.0}", product.flops as f64 / kernel.micros / 1e3))
}

/// 784-512-512-10, four layers of 1024, and 3C3D's convolutions.
fn models() -> Outcome<Vec<(&'static str, Model, &'static [usize])>> {
    use Activation::{Relu, Tanh};
    let small = Model::builder([784]).dense(512).act(Tanh).dense(512).act(Tanh).dense(10);
    let wide = Model::builder([784]).dense(1024).act(Tanh).dense(1024).act(Tanh).dense(1024).act(Tanh);
    let wide = wide.dense(1024).act(Tanh).dense(10);
    let images = Model::builder([3, 32, 32]).layer(Conv2d::new(64, 5)).act(Relu);
    let images = images.layer(Conv2d::new(96, 3).stride(2)).act(Relu).layer(Conv2d::new(128, 3).stride(2));
    let images = images.act(Relu).flatten().dense(256).act(Relu).dense(10);
    let loss = Loss::cross_entropy;
    Ok(vec![
        ("784-512-512-10", small.loss(loss())?, &[1, 8, 32, 128, 512]),
        ("784-1024×4-10", wide.loss(loss())?, &[128, 512, 1024]),
        ("three convolutions on 32×32", images.loss(loss())?, &[128]),
    ])
}

/// A table of gradients, plain and of HesScale, on each known machine; with `all`, a table of each one's kernels before.
pub(crate) fn print(all: bool) -> Outcome<()> {
    let mut rows = Vec::new();
    for machine in Machine::KNOWN {
        for (name, model, batches) in models()? {
            for batch in batches {
                let forecast = |mode| -> Outcome<Forecast> {
                    let options = PlanOptions::training(mode);
                    Ok(Outline::new(machine.class, &model, *batch, None, &options)?.forecast(&machine))
                };
                let (plain, dual) = (forecast(Mode::None)?, forecast(Mode::HesScale)?);
                if all {
                    println!("## {name}, batch {batch}\n\n{plain}\n\n{dual}\n");
                }
                let [one, two] = [&plain, &dual].map(|forecast| forecast.micros() / 1e3);
                let launches = machine.launch * dual.kernels.len() as f64 / 1e3;
                let ratio = two / one;
                let place = machine.name;
                rows.push(format!(
                    "| {place} | {name} | {batch} | {one:.3} | {two:.3} | {ratio:.2} | {launches:.3} |"
                ));
            }
        }
    }
    println!("Modelled, not measured: the gradient, in ms.\n");
    println!(
        "| GPU | network | batch | plain | HesScale | ratio | of it launches |\n|---|---|---|---|---|---|---|"
    );
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}
