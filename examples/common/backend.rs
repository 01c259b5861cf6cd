//! What trains: a GPU, or the reference.

use hesscale::train::{Trainer, TrainerOptions};
use hesscale::{Context, Model, Optimizer, Request, Result};

const CPU_NOTICE: &str = "notice: training on the CPU reference in f32 (--cpu), in plain loops on one core; no GPU is \
used, and the times say nothing about one";

/// What the user asks for.
#[derive(Debug)]
pub(crate) enum Device {
    /// An adapter by a part of its name, or wgpu's choice.
    Gpu(Option<String>),
    Cpu,
}

impl Device {
    /// From `--cpu` and `--adapter`.
    pub(crate) fn new(cpu: bool, adapter: Option<String>) -> std::result::Result<Device, String> {
        match (cpu, adapter) {
            (true, Some(_)) => Err("--cpu and --adapter exclude each other".into()),
            (true, None) => Ok(Device::Cpu),
            (false, adapter) => Ok(Device::Gpu(adapter)),
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
    /// Says so where it is no GPU.
    pub(crate) fn new(device: &Device) -> Result<Backend> {
        match device {
            Device::Cpu => {
                eprintln!("{CPU_NOTICE}");
                Ok(Backend::Cpu)
            }
            Device::Gpu(adapter) => {
                let request = Request { adapter: adapter.clone(), ..Request::default() };
                Ok(Backend::Gpu(pollster::block_on(Context::request_with(&request))?))
            }
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Backend::Gpu(context) => context.describe(),
            Backend::Cpu => "CPU reference, f32".into(),
        }
    }

    pub(crate) fn trainer(&self, model: &Model, optimizer: Optimizer, seed: u64) -> Result<Trainer> {
        let options = TrainerOptions::default().seed(seed);
        match self {
            Backend::Gpu(context) => Trainer::new(context, model, optimizer, options),
            Backend::Cpu => Trainer::on_cpu(model, optimizer, options),
        }
    }
}
