//! The same networks in burn, its forward and backward pass.

use crate::workload::Workload;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::wgpu::wgpu::{self, Adapter};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use std::error::Error;

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle())
}

/// The first adapter with `wanted` in its name or backend.
pub(crate) fn adapter(wanted: Option<&str>) -> Result<Adapter, Box<dyn Error>> {
    let wanted = wanted.unwrap_or_default().to_lowercase();
    let adapters = pollster::block_on(instance().enumerate_adapters(wgpu::Backends::all()));
    let matches = |adapter: &Adapter| {
        let info = adapter.get_info();
        format!("{} {:?}", info.name, info.backend).to_lowercase().contains(&wanted)
    };
    adapters.into_iter().find(matches).ok_or_else(|| format!("no adapter matches `{wanted}`").into())
}

/// burn on this adapter, with all that the adapter has.
pub(crate) fn gpu(adapter: Adapter) -> Result<Device, Box<dyn Error>> {
    let descriptor = wgpu::DeviceDescriptor {
        required_features: (adapter.features() - wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
            & !wgpu::Features::all_experimental_mask(),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
    let backend = adapter.get_info().backend;
    let setup = WgpuSetup { instance: instance(), adapter, device, queue, backend };
    let device = Device::wgpu_options().setup(setup).init().map_err(|error| format!("burn: {error:?}"))?;
    Ok(device.autodiff())
}

/// burn on the processor.
pub(crate) fn flex() -> Device {
    Device::flex().autodiff()
}

/// What flows is an image until the first dense layer.
struct Stage {
    convolution: Conv2d,
    pool: MaxPool2d,
}

pub(crate) struct Theirs {
    device: Device,
    stages: Vec<Stage>,
    dense: Vec<Linear>,
    activation: fn(Tensor<2>) -> Tensor<2>,
    loss: CrossEntropyLoss,
    images: Tensor<4>,
    classes: Tensor<1, Int>,
}

impl Theirs {
    /// One of the workloads of `ROWS`.
    pub(crate) fn new(device: &Device, workload: &Workload) -> Theirs {
        let batch = workload.batch;
        let (channels, kernels, widths, image): (&[usize], &[usize], &[usize], _) = match workload.network {
            "784-512-512-10 tanh" => (&[], &[], &[784, 512, 512, 10], [batch, 784, 1, 1]),
            "784-1024x4-10 tanh" => (&[], &[], &[784, 1024, 1024, 1024, 1024, 10], [batch, 784, 1, 1]),
            _ => (&[3, 64, 96, 128], &[5, 3, 3], &[128, 512, 256, 10], [batch, 3, 32, 32]),
        };
        let stage = |(channels, kernel): (&[usize], &usize)| Stage {
            convolution: Conv2dConfig::new([channels[0], channels[1]], [*kernel; 2]).init(device),
            pool: MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).init(),
        };
        let stages: Vec<_> = channels.windows(2).zip(kernels).map(stage).collect();
        let dense: Vec<_> =
            widths.windows(2).map(|ends| LinearConfig::new(ends[0], ends[1]).init(device)).collect();
        let activation: fn(Tensor<2>) -> Tensor<2> = match stages.is_empty() {
            true => activation::tanh,
            false => |x| activation::elu(x, 1.0),
        };
        let classes: Vec<i32> = (0..batch as i32).map(|sample| sample % 10).collect();
        Theirs {
            device: device.clone(),
            stages,
            dense,
            activation,
            loss: CrossEntropyLossConfig::new().init(device),
            images: Tensor::from_data(TensorData::new(workload.data().inputs, image), device),
            classes: Tensor::from_data(TensorData::new(classes, [batch]), device),
        }
    }

    /// Forward, loss and backward, waited for. Every parameter must have its gradient.
    pub(crate) fn step(&self) -> Result<(), Box<dyn Error>> {
        let convolve =
            |x, stage: &Stage| stage.pool.forward(activation::elu(stage.convolution.forward(x), 1.0));
        let mut x: Tensor<2> = self.stages.iter().fold(self.images.clone(), convolve).flatten(1, 3);
        for (index, dense) in self.dense.iter().enumerate() {
            x = dense.forward(x);
            if index + 1 < self.dense.len() {
                x = (self.activation)(x);
            }
        }
        let gradients = self.loss.forward(x, self.classes.clone()).backward();
        let weights = self.dense.iter().all(|dense| dense.weight.val().grad(&gradients).is_some());
        let kernels =
            self.stages.iter().all(|stage| stage.convolution.weight.val().grad(&gradients).is_some());
        self.device.sync().map_err(|error| format!("burn: {error:?}"))?;
        if weights && kernels { Ok(()) } else { Err("burn left out a gradient".into()) }
    }
}
