//! The same question of networks far too large for a whole exact diagonal: of some entries of each weight, drawn at random, it is
//! exact, as the product of the Hessian with the entry's unit vector has it. What follows for all entries has a standard error, by
//! leaving out one group of the entries after another (jackknife).

#[path = "../common/digits.rs"]
mod digits;

use digits::digits;
use hesscale::curvature::Operator as _;
use hesscale::model::{Conv2d, Matrix, MaxPool2d, Upsample2d};
use hesscale::train::{Dataset, Trainer, TrainerOptions};
use hesscale::{Activation, Layer, Loss, Mode, Model, Optimizer, Result};
use indicatif::{ProgressBar, ProgressStyle};

/// Groups of entries, for the standard errors.
const GROUPS: usize = 16;
/// Samples whose loss has the Hessian.
const SAMPLES: usize = 64;

const MODES: [Mode; 4] = [Mode::HesScale, Mode::HesScaleGn, Mode::HesScaleR1, Mode::HesScaleR2];

/// Digits enlarged to the size of CIFAR's images, where a network takes those.
fn networks() -> Result<[(&'static str, Model); 4]> {
    let (elu, tanh, relu) = (Activation::Elu { alpha: 1.0 }, Activation::Tanh, Activation::Relu);
    let enlarged = || Model::builder([1, 8, 8]).layer(Upsample2d::nearest(4));
    let small = |act: Activation| {
        let convolutions = [(64, 5), (96, 3), (128, 3)].into_iter();
        let body = convolutions.fold(enlarged(), |body, (channels, kernel)| {
            body.conv2d(channels, kernel).act(act).layer(MaxPool2d::new(3).stride(2))
        });
        body.flatten().dense(512).act(act).dense(256).act(act).dense(10).loss(Loss::cross_entropy())
    };
    let same = |channels| Conv2d::new(channels, 3).same();
    // ResNet-20's blocks, without what normalises.
    let mut blocks = enlarged().layer(same(16)).act(relu);
    for (width, stride) in [(16, 1), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1)] {
        let first = Conv2d::new(width, 3).padding(1).stride(stride);
        let body = move |block: hesscale::model::Builder| block.layer(first).act(relu).layer(same(width));
        blocks = match stride {
            1 => blocks.residual(body),
            _ => blocks.residual_projected(body, |short| short.layer(Conv2d::new(width, 1).stride(2))),
        };
        blocks = blocks.act(relu);
    }
    let blocks = blocks.layer(Layer::global_avg_pool()).flatten().dense(10).loss(Loss::cross_entropy());
    let dense = Model::builder([64]).dense(512).act(tanh).dense(512).act(tanh).dense(512).act(tanh).dense(10);
    Ok([
        ("64-512-512-512-10 tanh", dense.loss(Loss::cross_entropy())?),
        ("3C3D, elu", small(elu)?),
        ("3C3D, tanh", small(tanh)?),
        ("20 layers in blocks, ReLU", blocks?),
    ])
}

/// A tensor's entries with their exact second derivatives.
struct Stratum {
    name: String,
    /// Of all its entries.
    len: usize,
    places: Vec<usize>,
    exact: Vec<f64>,
}

/// Of an estimate: its correlation with the exact diagonal, L1 distance over the diagonal's own L1, share of signs that are right.
type Figures = [f64; 3];

impl Stratum {
    /// Below this a second derivative is rounding error, and has no sign.
    fn noise(&self) -> f64 {
        1e-5 * self.exact.iter().fold(0.0_f64, |most, d| most.max(d.abs()))
    }
}

/// Over these tensors without the entries of a group; every entry stands for as many of its tensor as were not drawn.
fn figures(strata: &[Stratum], h: &[f32], without: Option<usize>) -> Figures {
    let (mut distance, mut size, mut signs, mut right) = (0.0, 0.0, 0.0, 0.0);
    let [mut n, mut mh, mut md, mut hh, mut dd, mut hd] = [0.0; 6];
    for stratum in strata {
        let entries = || stratum.places.iter().zip(&stratum.exact).enumerate();
        let kept = |(k, _): &(usize, _)| Some(k % GROUPS) != without;
        let weight = stratum.len as f64 / entries().filter(kept).count() as f64;
        for (_, (place, d)) in entries().filter(kept) {
            let h = f64::from(h[*place]);
            distance += weight * (h - d).abs();
            size += weight * d.abs();
            if d.abs() > stratum.noise() {
                signs += weight;
                right += weight * f64::from((h > 0.0) == (*d > 0.0));
            }
            (n, mh, md) = (n + weight, mh + weight * h, md + weight * d);
            (hh, dd, hd) = (hh + weight * h * h, dd + weight * d * d, hd + weight * h * d);
        }
    }
    let correlation = (n * hd - mh * md) / ((n * hh - mh * mh) * (n * dd - md * md)).sqrt();
    [correlation, distance / size, right / signs]
}

/// Each with its standard error.
fn judge(strata: &[Stratum], h: &[f32]) -> [[f64; 2]; 3] {
    let whole = figures(strata, h, None);
    let groups: Vec<Figures> = (0..GROUPS).map(|group| figures(strata, h, Some(group))).collect();
    let count = GROUPS as f64;
    [0, 1, 2].map(|k| {
        let mean = groups.iter().map(|of| of[k]).sum::<f64>() / count;
        let squares: f64 = groups.iter().map(|of| (of[k] - mean).powi(2)).sum();
        [whole[k], ((count - 1.0) / count * squares).sqrt()]
    })
}

/// Prints a table for each network, before and after training.
pub(crate) fn run(entries: usize) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let data = digits()?;
    let (train, _) = data.split(0.2, 1)?;
    let batch = train.gather(&(0..SAMPLES).collect::<Vec<_>>())?;
    println!("{entries} entries of each weight, the mean loss of {SAMPLES} digits, ± one standard error\n");
    for (name, model) in networks()? {
        for epochs in [0, 5] {
            println!("{name}, {} parameters, {epochs} epochs", model.parameter_count());
            network(&model, &train, &batch, epochs, entries)?;
        }
    }
    Ok(())
}

fn network(
    model: &Model,
    train: &Dataset,
    batch: &Dataset,
    epochs: u64,
    entries: usize,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let trainer = |mode| Trainer::on_cpu(model, Optimizer::adam(1e-3), TrainerOptions::default().mode(mode));
    let mut trained = trainer(Mode::None)?;
    for epoch in 0..epochs {
        for part in train.batches(32, epoch)? {
            trained.step(part.inputs(), part.labels().targets())?;
        }
    }
    let mut random = fastrand::Rng::with_seed(1);
    let mut strata: Vec<Stratum> = Vec::new();
    for weight in model.parameters().iter().filter(|p| p.shape.len() > 1) {
        let places = random.choose_multiple(weight.range(), entries);
        strata.push(Stratum { name: weight.name(), len: weight.range().len(), places, exact: Vec::new() });
    }
    let progress = ProgressBar::new(strata.iter().map(|stratum| stratum.places.len() as u64).sum())
        .with_style(ProgressStyle::with_template("products {bar:40} {pos}/{len}, {eta} left")?);
    let mut hessian = trained.matrix_over(Matrix::Hessian, batch, SAMPLES)?;
    let (mut unit, mut column) = (vec![0.0; hessian.len()], vec![0.0; hessian.len()]);
    for stratum in &mut strata {
        for place in &stratum.places {
            unit[*place] = 1.0;
            hessian.apply(&unit, &mut column)?;
            unit[*place] = 0.0;
            stratum.exact.push(column[*place].into());
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    let parameters = trained.parameters()?;
    println!("  {:14} {:>17} {:>17} {:>21}", "", "correlation", "|h − d|₁ / |d|₁", "signs right");
    let mut by_layer = Vec::new();
    for mode in MODES {
        let mut other = trainer(mode)?;
        other.set_parameters(&parameters)?;
        let h = other.diagonal_over(batch, SAMPLES)?;
        let [[correlation, c], [distance, d], [right, r]] = judge(&strata, &h);
        let right = format!("{:.1} ± {:.1} %", 100.0 * right, 100.0 * r);
        println!("  {:14} {correlation:>9.3} ± {c:.3} {distance:>9.3} ± {d:.3} {right:>21}", mode.name());
        by_layer.push(h);
    }
    println!("  |h − d|₁ / |d|₁ by weight:");
    for stratum in &strata {
        print!("  {:14}", stratum.name);
        for h in &by_layer {
            let [_, [distance, error], _] = judge(std::slice::from_ref(stratum), h);
            print!(" {distance:>9.3} ± {error:.3}");
        }
        println!();
    }
    println!();
    Ok(())
}
