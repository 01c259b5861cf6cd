//! For people who just want to train: a model, an optimiser, and batches in.

mod data;
mod host;
mod trainer;

pub use data::{Dataset, Labels};
pub use trainer::{Trainer, TrainerOptions};
