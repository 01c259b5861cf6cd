//! The training backend: a GPU or the CPU.

use hesscale::cpu::Threads;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Context, Error, Model, Optimizer, Request, Result};

/// The requested backend.
#[derive(Debug)]
pub(crate) enum Device {
    /// A GPU if there is one, else the CPU; an adapter named by `HESSCALE_ADAPTER` counts as a GPU.
    Best,
    /// An adapter by part of its name, software adapters included.
    Named(String),
    Cpu,
}

impl Device {
    /// From `--cpu` and `--adapter`.
    pub(crate) fn new(cpu: bool, adapter: Option<String>) -> std::result::Result<Device, String> {
        match (cpu, adapter) {
            (true, Some(_)) => Err("--cpu and --adapter exclude each other".into()),
            (true, None) => Ok(Device::Cpu),
            (false, Some(name)) => Ok(Device::Named(name)),
            (false, None) => Ok(Device::Best),
        }
    }
}

/// The backend in use.
#[derive(Debug)]
pub(crate) enum Backend {
    Gpu(Context),
    Cpu,
}

impl Backend {
    /// Chooses as [`Trainer::request`] does, but once for many trainers. Prints a notice if there is no GPU.
    pub(crate) fn new(device: &Device) -> Result<Backend> {
        let adapter = match device {
            Device::Cpu => return Ok(Backend::Cpu),
            Device::Named(name) => Some(name.clone()),
            Device::Best => std::env::var("HESSCALE_ADAPTER").ok(),
        };
        let request = Request::default().adapter(adapter);
        match pollster::block_on(Context::hardware(&request)) {
            Err(Error::NoAdapter { reason, .. }) if request.adapter.is_none() => {
                eprintln!("notice: no GPU ({reason}); training on the CPU");
                Ok(Backend::Cpu)
            }
            context => Ok(Backend::Gpu(context?)),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Backend::Gpu(context) => context.describe(),
            Backend::Cpu => format!("none: the CPU, {} threads", Threads::default().count()),
        }
    }

    pub(crate) fn trainer(
        &self,
        model: &Model,
        optimizer: Optimizer,
        options: TrainerOptions,
    ) -> Result<Trainer> {
        match self {
            Backend::Gpu(context) => Trainer::new(context, model, optimizer, options),
            Backend::Cpu => Trainer::on_cpu(model, optimizer, options),
        }
    }
}
