//! The page's interface: the same network from the same start, trained by several optimizers over WebGPU. Calls that wait for the
//! GPU return promises. The page (`page.js`) controls the calls and does all drawing.

use hesscale::train::{Dataset, Labels, Trainer, TrainerOptions};
use hesscale::{Activation, Context, Loss, Model, Optimizer, Result};
use wasm_bindgen::prelude::*;

const BATCH: usize = 64;
/// Batch size for evaluation.
const EVALUATED: usize = 512;
const HELD_OUT: f64 = 0.2;

/// An optimizer's name, and its constructor from a learning rate.
type Method = (&'static str, fn(f32) -> Optimizer);

/// Both with an untuned learning rate.
const METHODS: [Method; 2] = [("Adam", Optimizer::adam), ("AdaHesScale", Optimizer::ada_hesscale)];
const LEARNING_RATE: f32 = 1e-3;

/// Optimizers side by side on one task.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Race {
    seed: u32,
    train: Dataset,
    test: Dataset,
    trainers: Vec<Trainer>,
}

/// A network's quality.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// On the held-out images, 0 to 1.
    pub test_accuracy: f64,
    /// Mean over all training images.
    pub train_loss: f64,
}

#[wasm_bindgen]
impl Race {
    /// Networks with random weights, the same for every method, on the browser's GPU.
    pub async fn start(seed: u32) -> std::result::Result<Race, JsError> {
        Ok(start(seed).await?)
    }

    /// The methods' names, by index.
    #[wasm_bindgen(getter)]
    pub fn methods(&self) -> Vec<String> {
        METHODS.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    /// One pass over the training images by one method, in an order that depends on the epoch alone. The number of steps, when
    /// the last of them is done.
    pub async fn train(&mut self, method: usize, epoch: u32) -> std::result::Result<u32, JsError> {
        let trainer = &mut self.trainers[method];
        let before = trainer.steps();
        for batch in self.train.batches(BATCH, (u64::from(self.seed) << 32) | u64::from(epoch))? {
            trainer.step(batch.inputs(), batch.labels().targets())?;
        }
        trainer.loss_async().await?;
        Ok((trainer.steps() - before) as u32)
    }

    /// The current quality of one method's network.
    pub async fn evaluate(&mut self, method: usize) -> std::result::Result<Point, JsError> {
        let trainer = &mut self.trainers[method];
        let test_accuracy = trainer.evaluate_async(&self.test, EVALUATED).await?.accuracy;
        let train_loss = trainer.evaluate_async(&self.train, EVALUATED).await?.loss;
        Ok(Point { test_accuracy, train_loss })
    }

    /// The first held-out images: 8 × 8 pixels each, 0 (paper) to 1 (ink).
    pub fn pixels(&self, images: usize) -> std::result::Result<Vec<f32>, JsError> {
        Ok(self.some(images)?.inputs().to_vec())
    }

    /// Their labels.
    pub fn labels(&self, images: usize) -> std::result::Result<Vec<u32>, JsError> {
        Ok(match self.some(images)?.labels() {
            Labels::Classes(classes) => classes.clone(),
            Labels::Values(_) => Vec::new(),
        })
    }

    /// One method's predictions for them.
    pub async fn read(&mut self, method: usize, images: usize) -> std::result::Result<Vec<u32>, JsError> {
        let images = self.some(images)?;
        let trainer = &mut self.trainers[method];
        let logits = trainer.predict_async(images.inputs()).await?;
        let rows = logits.chunks(trainer.model().outputs());
        // The first among equals; `max_by` would return the last.
        let largest = |row: &[f32]| (0..row.len()).rev().max_by(|a, b| row[*a].total_cmp(&row[*b]));
        Ok(rows.filter_map(largest).map(|class| class as u32).collect())
    }

    fn some(&self, images: usize) -> Result<Dataset> {
        self.test.gather(&(0..images.min(self.test.len())).collect::<Vec<_>>())
    }
}

async fn start(seed: u32) -> Result<Race> {
    let tanh = Activation::Tanh;
    let layers = Model::builder([64]).dense(128).act(tanh).dense(64).act(tanh).dense(10);
    let model = layers.loss(Loss::cross_entropy())?;
    let (train, test) = digits()?.split(HELD_OUT, 0)?;
    let context = Context::request().await?;
    let trainer = |(_, at): &Method| {
        let options = TrainerOptions::default().seed(seed.into());
        Trainer::new(&context, &model, at(LEARNING_RATE), options)
    };
    let trainers = METHODS.iter().map(trainer).collect::<Result<_>>()?;
    Ok(Race { seed, train, test, trainers })
}

/// 8 × 8 pixels in 0 to 1, and their labels: see `data/README.md` for source and licence.
fn digits() -> Result<Dataset> {
    let records = include_bytes!("../../../data/digits.bin").chunks_exact(65);
    let pixels = records.clone().flat_map(|r| &r[..64]).map(|pixel| f32::from(*pixel) / 16.0).collect();
    let labels = records.map(|r| u32::from(r[64])).collect();
    Dataset::new(pixels, 64, Labels::Classes(labels))
}
