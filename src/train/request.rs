//! Trainers on the best device of this machine.

use super::{Trainer, TrainerOptions};
use crate::Result;
use crate::gpu::{Context, Request};
use crate::model::{Model, Optimizer};
use crate::plan::PlanOptions;

impl Trainer {
    /// A trainer on what this machine has: a GPU ([`Context::hardware`]), or else, with the crate's feature `cpu`, the
    /// CPU. An adapter that the environment variable `HESSCALE_ADAPTER` names is used whatever it is, a software one too.
    ///
    /// # Errors
    /// As [`Trainer::new`]; [`Error::NoAdapter`](crate::Error::NoAdapter) for a name that no adapter has, and where there is no GPU
    /// and the crate was built without `cpu`.
    pub async fn request(model: &Model, optimizer: Optimizer, options: TrainerOptions) -> Result<Trainer> {
        Trainer::request_with(&Request::from_env(), model, optimizer, options).await
    }

    /// The same for a context as asked for: an adapter that has a name there is used whatever it is. The device gets what the
    /// options' storage needs, too.
    ///
    /// # Errors
    /// As [`Trainer::request`].
    pub async fn request_with(
        request: &Request,
        model: &Model,
        optimizer: Optimizer,
        options: TrainerOptions,
    ) -> Result<Trainer> {
        let mut request = request.clone();
        request.features |= PlanOptions::inference().storage(options.storage).required_features();
        match Context::hardware(&request).await {
            Ok(context) => Trainer::new(&context, model, optimizer, options),
            #[cfg(feature = "cpu")]
            Err(crate::Error::NoAdapter { .. }) if request.adapter.is_none() => {
                Trainer::on_cpu(model, optimizer, options)
            }
            Err(error) => Err(error),
        }
    }
}
