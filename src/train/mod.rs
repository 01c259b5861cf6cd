//! High-level training: give it a model, an optimiser and batches.

mod atomic;
mod between;
mod checkpoint;
mod cifar;
mod curvature;
mod data;
mod engine;
mod evaluation;
mod file;
mod gpu;
#[cfg(feature = "cpu")]
mod host;
mod idx;
mod normalization;
mod options;
mod over;
mod pickle;
mod plain;
mod request;
mod resume;
mod running;
mod trainer;
pub mod weights;

pub use between::Between;
pub use cifar::{cifar10, cifar100};
pub use curvature::OverData;
pub use data::{Dataset, Labels};
pub use evaluation::Evaluation;
pub use idx::{fashion_mnist, mnist};
pub use normalization::Normalization;
pub use options::TrainerOptions;
pub use running::{RewardScale, RunningNormalization};
pub use trainer::Trainer;
