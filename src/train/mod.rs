//! High-level training: give it a model, an optimiser and batches.

mod atomic;
mod checkpoint;
mod cifar;
mod data;
mod file;
mod host;
mod idx;
mod normalization;
mod plain;
mod trainer;

pub use cifar::{cifar10, cifar100};
pub use data::{Dataset, Labels};
pub use idx::{fashion_mnist, mnist};
pub use normalization::Normalization;
pub use trainer::{Evaluation, Trainer, TrainerOptions};
