//! The same question of networks far too large for an exact diagonal: against Hutchinson's unbiased estimate, whose own noise is taken
//! out of the comparison.
//!
//! Of the estimate d in blocks of probes, `⟨d, d⟩` is the mean over pairs of different blocks, and `⟨h, d⟩` that over blocks: neither
//! has the noise's own square in it. What follows has a standard error by the jackknife over blocks.

#[path = "../common/digits.rs"]
mod digits;

use digits::digits;
use hesscale::curvature::hutchinson;
use hesscale::model::{Conv2d, Matrix, MaxPool2d, Upsample2d};
use hesscale::train::{Dataset, Trainer, TrainerOptions};
use hesscale::{Activation, Layer, Loss, Mode, Model, Optimizer, Result};
use indicatif::{ProgressBar, ProgressStyle};

/// Blocks of probes.
const BLOCKS: usize = 16;
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

/// The means of `v ∘ H v` over the probes of each block.
struct Truth(Vec<Vec<f32>>);

impl Truth {
    /// Without the block `out`: the mean, and the unbiased `⟨d, d⟩`, over `places`.
    fn without(&self, out: Option<usize>, places: &[usize]) -> (Vec<f64>, f64) {
        let kept: Vec<&Vec<f32>> =
            self.0.iter().enumerate().filter(|(block, _)| Some(*block) != out).map(|(_, d)| d).collect();
        let count = kept.len() as f64;
        let (mut sums, mut own) = (vec![0.0; places.len()], 0.0);
        for block in kept {
            for (sum, place) in sums.iter_mut().zip(places) {
                let d = f64::from(block[*place]);
                *sum += d;
                own += d * d;
            }
        }
        let all: f64 = sums.iter().map(|sum| sum * sum).sum();
        let square = (all - own) / (count * (count - 1.0));
        (sums.into_iter().map(|sum| sum / count).collect(), square)
    }

    /// `[cosine, |h − d| / |d|]` of an estimate, each with its standard error; NaN where `⟨d, d⟩` is not four of its own standard errors
    /// from 0: a ratio to it would say nothing, however small its spread.
    fn judge(&self, h: &[f32], places: &[usize]) -> [[f64; 2]; 2] {
        let of = |out: Option<usize>| {
            let (mean, square) = self.without(out, places);
            let (mut inner, mut own) = (0.0, 0.0);
            for (d, place) in mean.iter().zip(places) {
                let h = f64::from(h[*place]);
                inner += h * d;
                own += h * h;
            }
            [inner / (own * square).sqrt(), ((own - 2.0 * inner + square) / square).sqrt(), square]
        };
        let whole = of(None);
        let blocks: Vec<[f64; 3]> = (0..self.0.len()).map(|block| of(Some(block))).collect();
        let count = blocks.len() as f64;
        let [cosine, distance, square] = [0, 1, 2].map(|k| {
            let mean = blocks.iter().map(|of| of[k]).sum::<f64>() / count;
            let squares: f64 = blocks.iter().map(|of| (of[k] - mean).powi(2)).sum();
            [whole[k], ((count - 1.0) / count * squares).sqrt()]
        });
        if square[0] > 4.0 * square[1] { [cosine, distance] } else { [[f64::NAN; 2]; 2] }
    }

    /// Of the entries whose sign is sure, at eight standard errors of few blocks, the share that `h` has right; and how many those are of all.
    fn signs(&self, h: &[f32], places: &[usize]) -> [f64; 2] {
        let count = self.0.len() as f64;
        let (mut sure, mut right) = (0, 0);
        for place in places {
            let values = self.0.iter().map(|block| f64::from(block[*place]));
            let mean = values.clone().sum::<f64>() / count;
            let error = (values.map(|d| (d - mean).powi(2)).sum::<f64>() / (count * (count - 1.0))).sqrt();
            if mean.abs() > 8.0 * error {
                sure += 1;
                right += usize::from((h[*place] > 0.0) == (mean > 0.0));
            }
        }
        [right as f64 / sure as f64, sure as f64 / places.len() as f64]
    }
}

/// Prints a table for each network, before and after training.
pub(crate) fn run(probes: usize) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let data = digits()?;
    let (train, _) = data.split(0.2, 1)?;
    let batch = train.gather(&(0..SAMPLES).collect::<Vec<_>>())?;
    let probes = probes.div_ceil(BLOCKS) * BLOCKS;
    println!("{probes} probes in {BLOCKS} blocks, the mean loss of {SAMPLES} digits, ± one standard error\n");
    for (name, model) in networks()? {
        for epochs in [0, 5] {
            println!("{name}, {} parameters, {epochs} epochs", model.parameter_count());
            network(&model, &train, &batch, epochs, probes)?;
        }
    }
    Ok(())
}

fn network(
    model: &Model,
    train: &Dataset,
    batch: &Dataset,
    epochs: u64,
    probes: usize,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let trainer = |mode| Trainer::on_cpu(model, Optimizer::adam(1e-3), TrainerOptions::default().mode(mode));
    let mut trained = trainer(Mode::None)?;
    for epoch in 0..epochs {
        for part in train.batches(32, epoch)? {
            trained.step(part.inputs(), part.labels().targets())?;
        }
    }
    let each = probes.div_ceil(BLOCKS);
    let progress = ProgressBar::new(BLOCKS as u64)
        .with_style(ProgressStyle::with_template("probing {bar:40} {pos}/{len} blocks, {eta} left")?);
    let mut hessian = trained.matrix_over(Matrix::Hessian, batch, SAMPLES)?;
    let mut blocks = Vec::new();
    for block in 0..BLOCKS {
        blocks.push(hutchinson(&mut hessian, each, block as u64)?.diagonal);
        progress.inc(1);
    }
    progress.finish_and_clear();
    let truth = Truth(blocks);
    let parameters = trained.parameters()?;
    let all: Vec<usize> = model.parameters().iter().flat_map(|p| p.range()).collect();
    println!("  {:14} {:>17} {:>17} {:>12}", "", "cosine", "|h − d| / |d|", "signs right");
    let mut by_layer = Vec::new();
    for mode in MODES {
        let mut other = trainer(mode)?;
        other.set_parameters(&parameters)?;
        let h = other.diagonal_over(batch, SAMPLES)?;
        let [[cosine, cosine_error], [distance, distance_error]] = truth.judge(&h, &all);
        let [right, sure] = truth.signs(&h, &all);
        let signs = match sure > 0.0 {
            true => format!("{:>6.1} % of the {:.2} % that are sure", 100.0 * right, 100.0 * sure),
            false => "   none are sure".into(),
        };
        println!(
            "  {:14} {}  {}  {signs}",
            mode.name(),
            figure(cosine, cosine_error),
            figure(distance, distance_error)
        );
        by_layer.push(h);
    }
    println!("  |h − d| / |d| by weight:");
    for parameter in model.parameters().iter().filter(|p| p.shape.len() > 1) {
        let places: Vec<usize> = parameter.range().collect();
        print!("  {:14}", parameter.name());
        for h in &by_layer {
            let [_, [distance, error]] = truth.judge(h, &places);
            print!(" {}", figure(distance, error));
        }
        println!();
    }
    println!();
    Ok(())
}

/// A number with its standard error, unless noise is all there is.
fn figure(value: f64, error: f64) -> String {
    match value.is_finite() && error.is_finite() {
        true => format!("{value:>8.3} ± {error:.3}"),
        false => format!("{:>16}", "noise"),
    }
}
