//! What trains: a GPU, or the processor.

use hesscale::cpu::Threads;
use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Context, Error, Model, Optimizer, Request, Result};

/// What the user asks for.
#[derive(Debug)]
pub(crate) enum Device {
    /// A GPU if there is one, else the processor; an adapter that `HESSCALE_ADAPTER` names counts as one.
    Best,
    /// An adapter by a part of its name, a software one too.
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

/// What the user gets.
#[derive(Debug)]
pub(crate) enum Backend {
    Gpu(Context),
    Cpu,
}

impl Backend {
    /// As [`Trainer::request`] decides, but once for many trainers. Says so where there turns out to be no GPU.
    pub(crate) fn new(device: &Device) -> Result<Backend> {
        let adapter = match device {
            Device::Cpu => return Ok(Backend::Cpu),
            Device::Named(name) => Some(name.clone()),
            Device::Best => std::env::var("HESSCALE_ADAPTER").ok(),
        };
        let request = Request::default().adapter(adapter);
        match pollster::block_on(Context::hardware(&request)) {
            Err(Error::NoAdapter { reason, .. }) if request.adapter.is_none() => {
                eprintln!("notice: no GPU ({reason}); training on the processor");
                Ok(Backend::Cpu)
            }
            context => Ok(Backend::Gpu(context?)),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Backend::Gpu(context) => context.describe(),
            Backend::Cpu => format!("none: the processor, {} threads", Threads::default().count()),
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
